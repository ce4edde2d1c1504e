import { gzipSync } from 'node:zlib';
import { fakeClock } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import type { FakePod } from '../pod.fake.ts';
import { answerTo, bearer, startPod, until } from '../pod.fake.ts';
import { bytesPerMillisecond } from './pace.ts';

const mebibyte = 1024 * 1024;
/** What one turn of a decoder makes. */
const piece = 16 * 1024;

let clock: FakeClock;
let pod: FakePod;
beforeEach(async () => {
  clock = fakeClock();
  pod = await startPod({ clock, github: () => ({ scrubResponses: true }) });
});
afterEach(() => pod.stop());

interface Taken {
  bytes: number;
  isWhole: boolean;
}

/** An answer of so many bytes in gzip, taken as fast as it comes. */
async function take(bytes: number): Promise<Taken> {
  pod.handler = (_request, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip', connection: 'close' }).end(gzipSync(Buffer.alloc(bytes)));
  const taken = { bytes: 0, isWhole: false };
  const stream = await answerTo(pod.request({ headers: bearer }).end());
  stream.on('data', ({ length }: Buffer) => (taken.bytes += length)).on('end', () => (taken.isWhole = true));
  return taken;
}

/** What has come once no more comes. */
async function settled(taken: Taken): Promise<number> {
  for (let before = -1; taken.bytes > before; await new Promise((resolve) => setTimeout(resolve, 100))) before = taken.bytes;
  return taken.bytes;
}

test('an answer of 1 MiB never waits', async () => {
  const taken = await take(mebibyte);
  await until(() => taken.isWhole);
  expect(taken.bytes).toBe(mebibyte);
});

test('a bomb is unpacked no faster than by so many bytes a millisecond, and comes whole', async () => {
  const taken = await take(3 * mebibyte);
  const first = await settled(taken);
  expect(first).toBeGreaterThanOrEqual(mebibyte);
  expect(first).toBeLessThanOrEqual(mebibyte + piece);
  await clock.pass(10);
  const second = await settled(taken);
  expect(second).toBeGreaterThan(first);
  expect(second).toBeLessThanOrEqual(mebibyte + 10 * bytesPerMillisecond + piece);
  while (!taken.isWhole) {
    await clock.pass(10);
    await settled(taken);
  }
  expect(taken.bytes).toBe(3 * mebibyte);
});

test('all answers share the pace', async () => {
  const bomb = await take(3 * mebibyte);
  await settled(bomb);
  const other = await take(mebibyte);
  expect(await settled(other)).toBeLessThanOrEqual(piece);
  while (!bomb.isWhole || !other.isWhole) {
    await clock.pass(100);
    await settled(bomb);
  }
  expect(other.bytes).toBe(mebibyte);
});
