import type { FakeApiServer } from '../api-server.fake.ts';
import { startFakeApiServer } from '../api-server.fake.ts';
import { kubernetes } from '../kubernetes.ts';
import { overdueMilliseconds, retryMilliseconds } from './decide.ts';
import { identityOf } from './holder.ts';
import type { FakeLease } from './lease.fake.ts';
import { fakeLease } from './lease.fake.ts';
import type { Lease, LeaseOptions } from './lease.ts';
import { electLeader } from './lease.ts';

const second = 1000;
let server: FakeApiServer;
let lease: FakeLease;
/** Of the test's machine; `wall` runs beside it until a test sets it. */
let monotonic: number;
let wall: number;
let replicas: Replica[];

beforeEach(async () => {
  [monotonic, wall, replicas] = [0, Date.parse('2026-11-26T12:00:00.250Z'), []];
  lease = fakeLease();
  lease.pods = { a: running, b: running };
  server = await startFakeApiServer((received) => lease.handler(received));
});
afterEach(async () => {
  for (const replica of replicas) await replica.stop();
  await server.close();
});

test('the first replica leads, the second waits, and the record is one that kubectl and client-go can read', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await pass(20, a, b);
  expect([a.holds(), b.holds()]).toEqual([true, false]);
  expect(lease.spec).toEqual({
    holderIdentity: 'a_1',
    leaseDurationSeconds: 15,
    acquireTime: '2026-11-26T12:00:00.250000Z',
    renewTime: '2026-11-26T12:00:20.250000Z',
    leaseTransitions: 0,
  });
  expect(server.received.filter(({ path }) => path.includes('/pods/'))).toEqual([]);
});

test('a leader that ends gives the Lease back, and the other one leads at its next look', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await a.release();
  expect([a.holds(), a.ended.aborted, lease.spec?.holderIdentity]).toEqual([false, true, '']);
  await pass(2, b);
  expect([b.holds(), lease.spec?.leaseTransitions]).toEqual([true, 1]);
  expect(a.said).not.toContain('the lease is lost');
});

test('a Lease is given back only after the last write is answered', async () => {
  const order: string[] = [];
  const api = kubernetes(server.configuration);
  const apply = (): Promise<never> => new Promise((_resolve, reject) => setTimeout(reject, 100));
  const a = await replica('a', { kubernetes: { ...api, apply } });
  const writing = a.kubernetes.apply('/api/v1/any', {}).catch(() => order.push('the write was answered'));
  await a.release().then(() => order.push('released'));
  await writing;
  expect(order).toEqual(['the write was answered', 'released']);
});

test('a leader that has gone silent is waited for as long as its record says, by our own clock', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await a.stop();
  wall += 3600 * second;
  await pass(14, b);
  expect(b.holds()).toBe(false);
  await pass(2, b);
  expect([b.holds(), lease.spec?.holderIdentity, lease.spec?.leaseTransitions]).toEqual([true, 'b_1', 1]);
});

test.each([
  ['has ended, as its kubelet says, is not waited for for long', ended('state', '2026-11-26T12:00:01Z'), true],
  ['may run, since its container had ended before, is waited for', ended('lastState', '2026-11-26T11:59:59Z'), false],
])('a leader that has gone silent and %s', async (_what, pod, takes) => {
  const [a, b] = [await replica('a'), await replica('b')];
  await a.stop();
  lease.pods = { a: pod };
  // Two renewals are missing only after the second of these.
  await pass(2, b);
  expect(b.holds()).toBe(false);
  await pass(2, b);
  expect(b.holds()).toBe(takes);
});

test('a Lease that nobody renews is looked at every half second, by those who do not hold it', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await pass(4, a, b);
  tick(2);
  await b.look();
  tick(2);
  await a.look();
  await b.look();
  expect([a.pauses, b.pauses]).toEqual([
    [2000, 2000, 2000, 2000],
    [2000, 2000, 2000, 500, 2000],
  ]);
});

test('a replica that could not lead looks every two seconds, however old the renewal is', async () => {
  const [a, b] = [await replica('a'), await replica('b', { able: () => false })];
  await a.stop();
  await pass(6, b);
  expect(b.pauses).toEqual([2000, 2000, 2000, 2000]);
});

test('a look that does not reach the API server has found nothing overdue', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await a.stop();
  await pass(2, b);
  lease.failure = 500;
  await pass(2, b);
  expect(b.pauses).toEqual([2000, 500, 2000]);
});

test('a replica whose write failed when it took the lead tries again after half a second, and leads then', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await a.stop();
  await pass(14, b);
  const looked = b.pauses.length;
  lease.writeFailure = 500;
  await pass(2, b);
  expect([b.holds(), b.pauses.slice(looked)]).toEqual([false, [500]]);
  lease.writeFailure = undefined;
  tick(0.5);
  await b.look();
  expect([b.holds(), lease.spec?.holderIdentity]).toEqual([true, 'b_1']);
});

test('a container that was started again in its pod takes the Lease of its earlier life', async () => {
  const a = await replica('a');
  await a.stop();
  lease.pods = { a: ended('lastState', '2026-11-26T12:00:00Z') };
  const again = await replica('a', { identity: identityOf('a', '2') });
  await pass(4, again);
  expect([again.holds(), lease.spec?.holderIdentity]).toEqual([true, 'a_2']);
});

test('without the API server a leader writes no more after ten seconds, and ends', async () => {
  const a = await replica('a');
  lease.failure = 500;
  await pass(8, a);
  expect([a.holds(), a.ended.aborted]).toEqual([true, false]);
  await pass(2, a);
  await a.lost;
  expect([a.holds(), a.ended.aborted]).toEqual([false, true]);
  expect(a.said.at(-1)).toBe('the lease is lost');
});

test('an API server that does not answer is no reason to lead for longer', async () => {
  const silent = kubernetes(server.configuration);
  let answers = true;
  const read: typeof silent.read = (path) => (answers ? silent.read(path) : new Promise(() => {}));
  const a = await replica('a', { kubernetes: { ...silent, read } });
  answers = false;
  for (let attempts = 0; attempts < 2; attempts += 1) {
    tick(5);
    await a.look();
  }
  await a.lost;
  expect(a.holds()).toBe(false);
});

test('a leader that was paused writes nothing when it goes on, and ends once it sees another one', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await pass(16, b);
  expect([a.holds(), b.holds()]).toEqual([false, true]);
  const before = server.received.length;
  await expect(a.kubernetes.apply('/api/v1/any', {})).rejects.toMatchObject({ code: 'NotLeading' });
  await expect(a.kubernetes.patch('/api/v1/any', {})).rejects.toMatchObject({ code: 'NotLeading' });
  await expect(a.kubernetes.create('/api/v1/any', {})).rejects.toMatchObject({ code: 'NotLeading' });
  expect(server.received).toHaveLength(before);
  await a.look();
  await a.lost;
  expect([b.holds(), lease.spec?.holderIdentity]).toEqual([true, 'b_1']);
});

test('a leader that was paused, and whose Lease was given back by then, ends too', async () => {
  const [a, b] = [await replica('a'), await replica('b')];
  await pass(16, b);
  await b.release();
  await a.look();
  await a.lost;
  expect(lease.spec?.holderIdentity).toBe('');
});

test('a leader that was paused, and is still the one, goes on once it has renewed the Lease', async () => {
  const a = await replica('a');
  tick(60);
  expect(a.holds()).toBe(false);
  await a.look();
  expect([a.holds(), a.ended.aborted, lease.spec?.leaseTransitions]).toEqual([true, false, 0]);
});

test.each([
  ['forward', 3600],
  ['back', -3600],
])('a clock that is set %s by an hour ends no leader and makes no other', async (_way, seconds) => {
  const [a, b] = [await replica('a'), await replica('b')];
  wall += seconds * second;
  await pass(20, a, b);
  expect([a.holds(), b.holds(), lease.spec?.leaseTransitions]).toEqual([true, false, 0]);
});

test('a machine that was suspended, whose monotonic clock stood still, writes nothing before it has asked', async () => {
  const a = await replica('a');
  wall += 600 * second;
  expect(a.holds()).toBe(false);
});

test('a replica that does not know the cluster yet leaves the lead to one that does, and takes it once it could do the work', async () => {
  let able = false;
  const a = await replica('a', { able: () => able });
  await pass(20, a);
  expect([a.holds(), lease.spec]).toEqual([false, undefined]);
  able = true;
  await pass(2, a);
  able = false;
  await pass(20, a);
  expect(a.holds()).toBe(true);
});

test('of two that see at the same time that nobody leads, one does', async () => {
  const a = await replica('a');
  await a.release();
  const others = await Promise.all(['b', 'c', 'd'].map((pod) => replica(pod)));
  expect(others.filter((other) => other.holds())).toHaveLength(1);
});

interface Replica extends Lease {
  said: string[];
  /** How long it has waited between its looks, in milliseconds. */
  pauses: number[];
  /** Lets it look at the Lease once more, and resolves when it has. */
  look: () => Promise<void>;
  /** As a process that is killed: it looks no more, and gives nothing back. */
  stop: () => Promise<void>;
}

/** Resolves once the replica has looked at the Lease for the first time. */
async function replica(pod: string, options: Partial<LeaseOptions> = {}): Promise<Replica> {
  const said: string[] = [];
  const pauses: number[] = [];
  let resume = (): void => {};
  let rest = (): void => {};
  let alive = true;
  const pause = (milliseconds: number): Promise<void> => {
    if (!alive) return new Promise(() => {});
    if (milliseconds !== retryMilliseconds && milliseconds !== overdueMilliseconds)
      return new Promise((resolve) => setTimeout(resolve, 300).unref());
    pauses.push(milliseconds);
    rest();
    return new Promise((resolve) => (resume = resolve));
  };
  const look = async (): Promise<void> => {
    const rested = new Promise<void>((resolve) => (rest = resolve));
    resume();
    await rested;
  };
  const rested = new Promise<void>((resolve) => (rest = resolve));
  const elected = electLeader({
    kubernetes: kubernetes(server.configuration),
    namespace: 'rekey-system',
    identity: identityOf(pod, '1'),
    log: (_level, message) => said.push(message),
    clock: { wall: () => wall, monotonic: () => monotonic },
    pause,
    ...options,
  });
  await rested;
  const stop = (): Promise<void> => {
    alive = false;
    return Promise.resolve();
  };
  const made = { ...elected, said, pauses, look, stop };
  replicas.push(made);
  return made;
}

function tick(seconds: number): void {
  monotonic += seconds * second;
  wall += seconds * second;
}

/** Each of these replicas looks every two seconds meanwhile; the others are paused. */
async function pass(seconds: number, ...lookers: Replica[]): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 2) {
    tick(2);
    for (const looker of lookers) await looker.look();
  }
}

const running = { status: { containerStatuses: [{ name: 'operator', state: { running: {} } }] } };

function ended(where: 'state' | 'lastState', finishedAt: string): object {
  return { status: { containerStatuses: [{ name: 'operator', [where]: { terminated: { finishedAt } } }] } };
}
