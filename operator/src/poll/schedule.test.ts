import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Reading } from '../decide/input.ts';
import { pause } from './pause.ts';
import type { Versions } from './poll.ts';
import { Polls } from './schedule.ts';
import { until } from '@rekey/lib/process.real.ts';
import { storeAt } from './vault.fake.ts';

const at = (path: string): CredentialSource => ({ vault: { path, key: 'token' } });
const known = storeAt('https://vault.example', '');
const store: Store = { ...known, spec: { ...known.spec, pollIntervalSeconds: 10 } };

function start(current: () => string = () => '1') {
  const asked: string[] = [];
  const changes: string[][] = [];
  let closed = 0;
  let time = 0;
  const polls = new Polls({
    open: () => ({
      versions: ({ vault }) => {
        asked.push(vault?.path ?? '');
        if (current() === '') return Promise.reject(new Failure('SourceSealed'));
        return Promise.resolve({ current: current(), states: {} });
      },
      check: () => Promise.resolve(),
      close: () => (closed += 1),
    }),
    onChange: (users) => changes.push(users),
    onPoll: () => undefined,
    now: () => (time += 10_000),
    random: () => 0.5,
  });
  return { polls, asked, changes, closed: () => closed };
}

test('credentials of one path share one poll, and all of them hear of its answer', async () => {
  const { polls, asked, changes } = start();
  polls.follow('ns/a', { store, source: at('x') });
  polls.follow('ns/b', { store, source: at('x') });
  polls.follow('ns/c', { store, source: at('y') });
  await until(() => (changes.length === 2 ? true : undefined));
  expect(asked.sort()).toEqual(['x', 'y']);
  expect(changes.map((users) => users.join()).sort()).toEqual(['ns/a,ns/b', 'ns/c']);
  polls.stop();
});

test('asking now asks at once, and an answer that says the same is no change', async () => {
  const { polls, asked, changes } = start();
  polls.follow('ns/a', { store, source: at('x') });
  await until(() => polls.reading('ns/a'));
  polls.now('ns/a');
  await until(() => (asked.length === 2 ? true : undefined));
  expect(changes).toEqual([['ns/a']]);
  polls.stop();
});

test('who waits for an answer hears of it though it says the same, and waits for one from after it was asked for', async () => {
  let time = 0;
  const gates: PromiseWithResolvers<void>[] = [];
  const changes: string[][] = [];
  const versions = async (): Promise<Versions> => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    return { current: '1', states: {} };
  };
  const source = { versions, check: () => Promise.resolve(), close: () => undefined };
  const onChange = (users: string[]): unknown => changes.push(users);
  const polls = new Polls({ open: () => source, onChange, onPoll: () => undefined, now: () => time, random: () => 0.5 });
  polls.follow('ns/a', { store, source: at('x') });
  await until(() => gates[0]);
  expect(polls.patience('ns/a')).toBe(0);
  time = 2000;
  polls.now('ns/a');
  expect(polls.patience('ns/a')).toBe(5000);
  time = 3000;
  gates[0]?.resolve();
  await until(() => gates[1]);
  expect(polls.patience('ns/a')).toBe(4000);
  gates[1]?.resolve();
  await until(() => (changes.length === 2 ? true : undefined));
  expect(polls.patience('ns/a')).toBe(0);
  polls.now('ns/a');
  time = 8001;
  expect(polls.patience('ns/a')).toBe(0);
  polls.stop();
});

test('an edited store is asked anew, and the old session is closed', async () => {
  const { polls, asked, closed } = start();
  polls.follow('ns/a', { store, source: at('x') });
  await until(() => polls.reading('ns/a'));
  polls.follow('ns/a', { store: { ...store, metadata: { ...store.metadata, generation: 2 } }, source: at('x') });
  expect(polls.reading('ns/a')).toBeUndefined();
  await until(() => polls.reading('ns/a'));
  expect({ asked, closed: closed() }).toEqual({ asked: ['x', 'x'], closed: 1 });
  polls.stop();
  expect(closed()).toBe(2);
});

test('what a store’s login and paths say is told apart', async () => {
  const { polls } = start(() => '');
  polls.follow('default', { store });
  polls.follow('ns/a', { store, source: at('x') });
  await until(() => polls.reading('ns/a') ?? polls.reading('default'));
  await until(() => polls.reading('default'));
  expect(polls.ofStore('default')).toMatchObject({ login: { versions: {} }, paths: [{ failure: { reason: 'SourceSealed' } }] });
  expect(polls.ofStore('other')).toEqual({ login: undefined, paths: [] });
  polls.stop();
});

const failed = (reason: Reason): Reading => ({ failure: { reason, message: '' } });
const fine: Reading = { versions: { current: '1', states: {} } };

const waits: Record<string, [Reading, number, [number, number]]> = {
  'the interval, with jitter': [fine, 0, [9000, 11_000]],
  'no longer than the interval through an outage': [failed('SourceUnreachable'), 9, [500, 10_000]],
  'only a moment when an outage has just begun': [failed('SourceSealed'), 1, [500, 1000]],
  'twice as long when throttled': [failed('SourceThrottled'), 1, [18_000, 22_000]],
  'eight times as long at most': [failed('SourceThrottled'), 9, [72_000, 88_000]],
  'the interval when denied': [failed('SourceDenied'), 5, [9000, 11_000]],
};

test.each(Object.entries(waits))('it waits %s', (_sentence, [reading, failures, range]) => {
  const asked = { store, source: at('x'), reading, failures };
  expect([pause(asked, () => 0), pause(asked, () => 1)].map(Math.round)).toEqual(range);
});
