import { use } from '../report/audit.fixture.ts';
import { fakeClock } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import { until } from '../pod.fake.ts';
import type { FakeCollector } from './collector.fake.ts';
import { startCollector } from './collector.fake.ts';
import { trustedBy } from '../tls/trust.ts';
import { OtlpLogs } from './logs.ts';
import { postTo } from './post.ts';

let collector: FakeCollector;
let clock: FakeClock;
let logs: OtlpLogs;
let lost: number;
let posted: number;
let close: () => void;

beforeEach(async () => {
  collector = await startCollector();
  clock = fakeClock();
  lost = 0;
  posted = 0;
  const line = postTo({ endpoint: collector.url, lookup: () => undefined, trusted: trustedBy(undefined) });
  close = line.close;
  logs = new OtlpLogs({
    who: { namespace: 'tools', pod: 'mcp-0', serviceAccount: 'mcp' },
    post: async (body) => {
      const answer = await line.post(body);
      posted += 1;
      return answer;
    },
    onLost: (lines) => (lost += lines),
    clock,
    random: () => 0,
    now: Date.now,
  });
});
afterEach(async () => {
  close();
  await collector.stop();
});

const add = (count: number, text = 'line'): void => {
  for (let index = 0; index < count; index += 1) logs.add(use, text, 1_700_000_000_000);
};
/** Lets a request come and its answer go. */
const answered = (count: number): Promise<void> => until(() => posted >= count);

const dateIn = (milliseconds: number): string => new Date(Date.now() + milliseconds).toUTCString();
const pauses: Record<string, [fields: () => Record<string, string>, soon: number, due: number]> = {
  'so many seconds': [() => ({ 'retry-after': '7' }), 6900, 7000],
  'a date': [() => ({ 'retry-after': dateIn(100_000) }), 60_000, 101_000],
  'nothing: half a second, and more by chance': [() => ({}), 400, 500],
};

test.each(Object.entries(pauses))('a collector that is busy is asked again when it says: %s', async (_name, [fields, soon, due]) => {
  collector.instead = (response) => void response.writeHead(429, fields()).end();
  add(3);
  await clock.pass(1000);
  await answered(1);
  await clock.pass(soon);
  expect(collector.requests).toBe(1);
  collector.instead = undefined;
  await clock.pass(due - soon);
  await answered(2);
  expect([collector.lines.length, lost]).toEqual([3, 0]);
});

test('one that wants to be left alone for longer than lines are kept is left alone by new lines too', async () => {
  collector.instead = (response) => void response.writeHead(503, { 'retry-after': '3600' }).end();
  add(3);
  await clock.pass(1000);
  await answered(1);
  await until(() => lost === 3);
  collector.instead = undefined;
  add(2);
  await clock.pass(3_590_000);
  expect(collector.requests).toBe(1);
  await clock.pass(10_000);
  await answered(2);
  expect([collector.lines.length, lost]).toEqual([2, 3]);
});

test('lines that come one behind the other leave together', async () => {
  for (let lines = 0; lines < 9; lines += 1) {
    add(1);
    await clock.pass(100);
  }
  expect(collector.requests).toBe(0);
  await clock.pass(100);
  await answered(1);
  expect([collector.requests, collector.lines.length]).toEqual([1, 9]);
});

test('one request at a time, of 512 lines at most', async () => {
  add(1300);
  await answered(1);
  await clock.pass(1000);
  await answered(2);
  await clock.pass(1000);
  await answered(3);
  expect([collector.requests, collector.lines.length, lost]).toEqual([3, 1300, 0]);
});

test('a collector that is away costs a MiB and no more: what does not fit is lost, and so is what is tried for five minutes', async () => {
  await collector.stop();
  const began = clock.now();
  add(20, 'x'.repeat(100_000));
  expect(lost).toBe(10);
  await until(async () => {
    await clock.pass(1000);
    return lost === 20;
  });
  expect(clock.now() - began).toBeGreaterThan(240_000);
  expect(posted).toBeGreaterThan(5);
  collector = await startCollector();
});

test('a collector that comes back gets all that waited', async () => {
  collector.instead = (response) => void response.destroy();
  add(4);
  await clock.pass(1000);
  await answered(1);
  add(4);
  collector.instead = undefined;
  await clock.pass(1000);
  await answered(2);
  await clock.pass(1000);
  await answered(3);
  expect([collector.lines.length, lost]).toEqual([8, 0]);
});

test('an end that the collector does not let come in time counts what is left as lost', async () => {
  collector.instead = () => {};
  add(3);
  const stopped = logs.stop(500);
  await until(() => collector.requests === 1);
  await clock.pass(500);
  await stopped;
  expect(lost).toBe(3);
});
