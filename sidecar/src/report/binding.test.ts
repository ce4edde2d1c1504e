import type { Use } from '@rekey/crds/binding.ts';
import type { LogFields } from '@rekey/lib/log.ts';
import { BindingWriter, summaryOf } from './binding.ts';
import { fakeClock } from '../clock.fake.ts';

type Entry = Omit<Use, 'since'>;
type Written = { credentials: Use[]; summary: string };
const good = { status: 200, body: { spec: { podUID: 'uid-1' } } };

function setUp() {
  const clock = fakeClock();
  const world = {
    clock,
    answer: (): Promise<{ status: number; body: unknown }> => Promise.resolve(good),
    writes: [] as Written[],
    paths: [] as string[],
    times: [] as number[],
    logs: [] as [string, LogFields | undefined][],
    date: 0,
  };
  const writer = new BindingWriter({
    namespace: 'tools',
    pod: 'mcp-0',
    podUID: 'uid-1',
    applyStatus: (path, object) => {
      world.paths.push(path);
      world.writes.push((object as { status: Written }).status);
      world.times.push(clock.now());
      return world.answer();
    },
    clock,
    random: () => 1,
    date: () => new Date(world.date),
    log: (level, _message, fields) => world.logs.push([level, fields]),
  });
  return { ...world, world, writer };
}

const github: Entry = { name: 'github', version: '7' };
const slack: Entry = { name: 'slack', version: '3', reason: 'SourceDenied', message: 'no' };

test('the status of this pod, with a summary', async () => {
  const { writer, clock, writes, paths } = setUp();
  writer.set([github, slack]);
  await clock.pass(100);
  const since = '1970-01-01T00:00:00.000Z';
  expect(paths).toEqual(['/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentialbindings/mcp-0/status']);
  const credentials = [github, slack].map((use) => Object.assign({ since }, use));
  expect(writes).toEqual([{ credentials, summary: 'github@7 slack@3 (SourceDenied)' }]);
});

test('what has not changed is not written, and keeps its time', async () => {
  const { writer, clock, writes, world } = setUp();
  writer.set([github, slack]);
  await clock.pass(1000);
  world.date = 5000;
  writer.set([github, slack]);
  await clock.pass(10_000);
  expect(writes).toHaveLength(1);
  writer.set([github, { ...slack, version: '4' }]);
  await clock.pass(1000);
  expect(writes[1]?.credentials.map(({ since }) => new Date(since).getTime())).toEqual([0, 5000]);
});

test('changes of one moment are one write, and there are two writes a second at most', async () => {
  const { writer, clock, writes, times } = setUp();
  for (let change = 0; change < 1000; change += 1) {
    writer.set([{ ...github, version: String(change) }]);
    await clock.pass(10);
  }
  await clock.pass(1000);
  expect(writes.length).toBeLessThanOrEqual(21);
  expect(Math.min(...times.slice(1).map((time, index) => time - (times[index] ?? 0)))).toBeGreaterThanOrEqual(500);
  expect(writes.at(-1)?.credentials[0]?.version).toBe('999');
});

test('one write at a time: a change meanwhile is written after it', async () => {
  const { writer, clock, writes, world } = setUp();
  const first = Promise.withResolvers<typeof good>();
  world.answer = () => first.promise;
  writer.set([github]);
  await clock.pass(5000);
  writer.set([{ ...github, version: '8' }]);
  await clock.pass(5000);
  expect(writes).toHaveLength(1);
  first.resolve(good);
  await clock.pass(1000);
  expect(writes.map(({ credentials }) => credentials[0]?.version)).toEqual(['7', '8']);
});

test('a change that is taken back while it is written is written back', async () => {
  const { writer, clock, writes, world } = setUp();
  writer.set([github]);
  await clock.pass(1000);
  const second = Promise.withResolvers<typeof good>();
  world.answer = () => second.promise;
  writer.set([slack]);
  await clock.pass(1000);
  writer.set([github]);
  second.resolve(good);
  await clock.pass(1000);
  expect(writes.map(({ credentials }) => credentials[0]?.name)).toEqual(['github', 'slack', 'github']);
});

const away = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
test.each<[string, () => Promise<{ status: number; body: unknown }>]>([
  ['no binding yet', () => Promise.resolve({ status: 404, body: {} })],
  ['not allowed yet', () => Promise.resolve({ status: 403, body: {} })],
  ['a conflict', () => Promise.resolve({ status: 409, body: good.body })],
  ['a server in trouble', () => Promise.resolve({ status: 500, body: undefined })],
  ['no server', () => Promise.reject(away)],
  ['the binding of an older pod of the same name', () => Promise.resolve({ status: 200, body: { spec: { podUID: 'uid-0' } } })],
])('%s: tried again with growing pauses, until the last state has arrived', async (_name, answer) => {
  const { writer, clock, writes, times, world } = setUp();
  world.answer = answer;
  writer.set([github]);
  await clock.pass(180_000);
  expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual([
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000,
  ]);
  expect(world.logs.filter(([level]) => level === 'warn')).toHaveLength(1);
  writer.set([{ ...github, version: '8' }]);
  world.answer = () => Promise.resolve(good);
  await clock.pass(30_000);
  expect(writes.at(-1)?.credentials[0]?.version).toBe('8');
  const { length } = writes;
  await clock.pass(60_000);
  expect(writes).toHaveLength(length);
  expect(clock.pending()).toBe(0);
});

test('after a write that arrived the pauses start anew', async () => {
  const { writer, clock, times, world } = setUp();
  world.answer = () => Promise.resolve({ status: 500, body: {} });
  writer.set([github]);
  await clock.pass(20_000);
  world.answer = () => Promise.resolve(good);
  await clock.pass(30_000);
  world.answer = () => Promise.resolve({ status: 500, body: {} });
  const before = times.length;
  writer.set([slack]);
  await clock.pass(2000);
  expect((times[before + 1] ?? 0) - (times[before] ?? 0)).toBe(1000);
});

test('stopped in the middle of a write, it does not try again', async () => {
  const { writer, clock, writes, world } = setUp();
  const first = Promise.withResolvers<{ status: number; body: unknown }>();
  world.answer = () => first.promise;
  writer.set([github]);
  await clock.pass(1000);
  writer.stop();
  first.resolve({ status: 500, body: {} });
  await clock.pass(60_000);
  expect(writes).toHaveLength(1);
  expect(clock.pending()).toBe(0);
});

test('once stopped it writes no more', async () => {
  const { writer, clock, writes } = setUp();
  writer.set([github]);
  writer.stop();
  await clock.pass(1000);
  writer.set([slack]);
  await clock.pass(1000);
  expect(writes).toEqual([]);
  expect(clock.pending()).toBe(0);
});

test('a summary is cut where the API would refuse it', () => {
  const many = Array.from({ length: 64 }, (_none, index) => ({ name: `credential-${index}`, since: '' }));
  expect(summaryOf(many)).toHaveLength(256);
  expect(summaryOf(many)).toMatch(/^credential-0@\? credential-1@\? .*\.\.\.$/u);
});

describe('a binding that the operator does not find filled', () => {
  test('is written again once, and not when it has just been written', async () => {
    const { writer, clock, writes } = setUp();
    writer.set([github]);
    await clock.pass(1000);
    writer.repeat();
    await clock.pass(29_000);
    expect(writes).toHaveLength(1);
    await clock.pass(10_000);
    for (let event = 0; event < 29; event += 1) {
      writer.repeat();
      await clock.pass(1000);
    }
    expect(writes).toHaveLength(1);
    await clock.pass(2000);
    expect(writes).toHaveLength(2);
    expect(writes[1]).toEqual(writes[0]);
    await clock.pass(100_000);
    expect(writes).toHaveLength(2);
  });

  test('holds no change back meanwhile', async () => {
    const { writer, clock, writes } = setUp();
    writer.set([github]);
    await clock.pass(40_000);
    writer.repeat();
    writer.set([slack]);
    await clock.pass(1000);
    expect(writes.at(-1)?.credentials).toMatchObject([slack]);
  });

  test('is not written again when something new was written meanwhile: in a rotation every pod is behind for a moment', async () => {
    const { writer, clock, writes } = setUp();
    writer.set([github]);
    await clock.pass(40_000);
    writer.repeat();
    writer.set([slack]);
    await clock.pass(100_000);
    expect(writes).toHaveLength(2);
  });

  test('is left alone before the first state is known, and after the end', async () => {
    const { writer, clock, writes } = setUp();
    writer.repeat();
    await clock.pass(100_000);
    expect(writes).toEqual([]);
    writer.set([github]);
    await clock.pass(40_000);
    writer.repeat();
    writer.stop();
    expect(clock.pending()).toBe(0);
    expect(writes).toHaveLength(1);
  });
});
