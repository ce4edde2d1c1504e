import { credential } from '../decide/input.fixture.ts';
import { Missed } from './missed.ts';
import { emptyState } from './state.ts';

function setUp(pods: () => string[], random = 0) {
  const world = { now: 0, lists: 0, changes: 0, asked: '' };
  const state = emptyState();
  const one = credential('github');
  state.credentials.set(one);
  const missed = new Missed({
    kubernetes: {
      read: <T>(path: string) => {
        world.lists += 1;
        world.asked = path;
        return Promise.resolve({ items: pods().map((name) => ({ metadata: { name, namespace: 'tools' } })) } as T);
      },
    },
    state,
    log: () => undefined,
    now: () => world.now,
    random: () => random,
    onChange: () => (world.changes += 1),
  });
  /** Looks as often as it asks to be looked at, for so many seconds. */
  const follow = async (seconds: number, bound: number): Promise<void> => {
    for (const end = world.now + seconds * 1000; world.now < end;) {
      missed.of(one, bound);
      await new Promise(setImmediate);
      world.now += missed.lookAgainAfter('tools/github', bound);
    }
  };
  return { world, follow };
}

test('who has just made a credential without pods sees them within ten seconds; an idle one is looked at once a minute', async () => {
  const { world, follow } = setUp(() => []);
  await follow(120, 0);
  expect(world.lists).toBe(12);
  await follow(600, 0);
  expect(world.lists).toBe(22);
});

test('pods that come without the sidecar are news, and looked at closely for a while again', async () => {
  let names: string[] = [];
  const { world, follow } = setUp(() => names);
  await follow(600, 0);
  const { lists, changes } = world;
  names = ['a'];
  await follow(120, 0);
  expect(world.changes).toBe(changes + 1);
  expect(world.lists - lists).toBeGreaterThan(9);
});

test('with all pods injected it is once a minute', async () => {
  const { world, follow } = setUp(() => []);
  await follow(600, 3);
  expect(world.lists).toBe(10);
});

test('credentials that were looked at together do not stay together', async () => {
  const { world, follow } = setUp(() => [], 1);
  await follow(600, 3);
  expect(world.lists).toBe(8);
});

test("the pods come from the API server's cache: from etcd each list would cost it all pods of the namespace", async () => {
  const { world, follow } = setUp(() => []);
  await follow(1, 3);
  expect(new URL(world.asked, 'https://api').searchParams.get('resourceVersion')).toBe('0');
});
