import { gzipSync } from 'node:zlib';
import { fakeClock } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import type { Limits } from '../limits.ts';
import { defaultLimits } from '../limits.ts';
import { metric } from '../report/metric.fixture.ts';
import type { FakePod } from '../pod.fake.ts';
import { answerTo, bearer, startPod, until } from '../pod.fake.ts';
import type { Pack } from './packed.fixture.ts';
import { brotliOf, zstdOf } from './packed.fixture.ts';

const mebibyte = 1024 * 1024;
/** What one turn of a decoder makes. */
const piece = 16 * 1024;

let clock: FakeClock;
let pod: FakePod;
async function start(limits: Partial<Limits> = {}): Promise<void> {
  clock = fakeClock();
  pod = await startPod({ clock, limits, github: () => ({ scrubResponses: true }) });
}
beforeEach(() => start());
afterEach(() => pod.stop());

interface Taken {
  bytes: number;
  /** undefined while it comes. */
  isWhole: boolean | undefined;
  pause: () => void;
  resume: () => void;
  leave: () => void;
}

/** An answer of so many bytes in a coding, taken as fast as it comes. */
async function take(bytes: number, [coding, pack]: [string, Pack] = ['gzip', gzipSync]): Promise<Taken> {
  const packed = pack(Buffer.alloc(bytes));
  pod.handler = (_request, response) => void response.writeHead(200, { 'content-encoding': coding, connection: 'close' }).end(packed);
  const stream = await answerTo(pod.request({ headers: bearer }).end());
  const taken: Taken = {
    bytes: 0,
    isWhole: undefined,
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    leave: () => stream.destroy(),
  };
  stream.on('data', ({ length }: Buffer) => (taken.bytes += length));
  stream.on('error', () => {}).on('close', () => (taken.isWhole = stream.complete));
  return taken;
}

/** What has come once no more comes, and something has. */
async function settled(taken: Taken): Promise<number> {
  await until(() => taken.bytes > 0);
  for (let before = -1; taken.bytes > before; await new Promise((resolve) => setTimeout(resolve, 150))) before = taken.bytes;
  return taken.bytes;
}

const reached = (limit: string): Promise<number> => metric(pod, `rekey_limits_total{limit="${limit}"}`);

/** As much as a second makes, and what one turn of a decoder makes more. */
const inMilliseconds = (milliseconds: number): number => (milliseconds * defaultLimits.unpackedBytesPerSecond) / 1000 + 2 * piece;
const ahead = 16;

test('of each answer 1 MiB never waits, beside a bomb either', async () => {
  const bomb = await take(8 * mebibyte);
  await settled(bomb);
  for (let count = 0; count < 3; count += 1) {
    const taken = await take(mebibyte);
    await until(() => taken.isWhole === true);
    expect(taken.bytes).toBe(mebibyte);
  }
  expect(bomb.isWhole).toBeUndefined();
});

test('a bomb is unpacked no faster than at the pace, and comes whole', async () => {
  const taken = await take(3 * mebibyte);
  const first = await settled(taken);
  expect(first).toBeGreaterThanOrEqual(mebibyte);
  expect(first).toBeLessThanOrEqual(mebibyte + inMilliseconds(ahead));
  expect(await reached('unpackedBytesPerSecond')).toBe(1);
  await clock.pass(20);
  const second = await settled(taken);
  expect(second).toBeGreaterThan(first);
  expect(second).toBeLessThanOrEqual(mebibyte + inMilliseconds(ahead + 20));
  while (taken.isWhole === undefined) await clock.pass(10);
  expect([taken.bytes, taken.isWhole]).toEqual([3 * mebibyte, true]);
});

test('all answers share the pace: two take turns', async () => {
  const [one, other] = [await take(5 * mebibyte), await take(5 * mebibyte)];
  await settled(one);
  await settled(other);
  const before = one.bytes + other.bytes;
  for (let turn = 0; turn < 50; turn += 1) await clock.pass(2);
  await settled(one);
  await settled(other);
  const more = [one.bytes, other.bytes].map((bytes) => bytes - mebibyte);
  expect(one.bytes + other.bytes - before).toBeLessThanOrEqual(inMilliseconds(100) + 2 * piece);
  expect(Math.min(...more)).toBeGreaterThan(Math.max(...more) / 3);
});

test('a client that rests while its answer waits gets all of it', async () => {
  const taken = await take(3 * mebibyte);
  await settled(taken);
  taken.pause();
  await clock.pass(1000);
  await new Promise((resolve) => setTimeout(resolve, 200));
  taken.resume();
  while (taken.isWhole === undefined) await clock.pass(10);
  expect(taken.bytes).toBe(3 * mebibyte);
});

test('a client that leaves while its answer waits takes the memory with it', async () => {
  await pod.stop();
  await start({ unpackingBytes: 200_000 });
  for (let count = 0; count < 5; count += 1) {
    const leaving = await take(3 * mebibyte);
    await settled(leaving);
    leaving.leave();
    await until(() => leaving.isWhole !== undefined);
  }
  expect(await reached('unpackingBytes')).toBe(0);
});

test.each<[string, [string, Pack]]>([
  ['a window of 16 MiB', ['br', brotliOf(24)]],
  ['a window of 8 MiB', ['zstd', zstdOf(23)]],
])('an answer that asks for %s of memory is cut off, however short it is', async (_what, coding) => {
  const taken = await take(20 * mebibyte, coding);
  await until(() => taken.isWhole !== undefined);
  expect([taken.bytes, taken.isWhole]).toEqual([0, false]);
  expect(await reached('unpackingBytes')).toBe(1);
  expect(await metric(pod, 'rekey_call_errors_total{reason="AnswerNotSearchable"}')).toBe(1);
  const next = await take(1000, ['br', brotliOf(22)]);
  await until(() => next.isWhole !== undefined);
  expect([next.bytes, next.isWhole]).toEqual([1000, true]);
});

test('what decoders hold is one bound for all: who finds too little waits until there is enough, in order', async () => {
  const wide: [string, Pack] = ['br', brotliOf(22)];
  const first = await take(8 * mebibyte, wide);
  await settled(first);
  const [second, third] = [await take(1000, wide), await take(1000, wide)];
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect([second.bytes, third.bytes]).toEqual([0, 0]);
  expect(await reached('unpackingBytes')).toBe(2);
  first.leave();
  await until(() => second.isWhole !== undefined && third.isWhole !== undefined);
  expect([second.isWhole, second.bytes, third.isWhole, third.bytes]).toEqual([true, 1000, true, 1000]);
});

test('who leaves while it waits is not waited for', async () => {
  const wide: [string, Pack] = ['br', brotliOf(22)];
  const first = await take(8 * mebibyte, wide);
  await settled(first);
  const second = await take(8 * mebibyte, wide);
  second.leave();
  await until(() => second.isWhole !== undefined);
  const third = await take(1000, wide);
  first.leave();
  await until(() => third.isWhole !== undefined);
  expect(third.isWhole).toBe(true);
});
