import { linesOf, table } from './figures.ts';
import type { Cost, Rotation, Scale } from './figures.ts';

const cost: Cost = { cpuSeconds: 1, reads: 10, writes: 10 };
const rotation: Rotation = { ...cost, used: 2, propagated: 3 };
const good: Scale = {
  pods: 1000,
  start: { ...cost, seconds: 30 },
  one: rotation,
  push: rotation,
  each: rotation,
  idle: { ...cost, seconds: 180, writes: 0 },
  memory: { emptyMB: 80, settledMB: 90, mostMB: 100 },
  restarts: 0,
  writesPerSecond: 10,
  largestObject: { what: 'mcpcredentials/shared', bytes: 4000 },
  webhook: { p50: 2, p99: 5 },
};

const missed = (...scales: Scale[]): string[] => linesOf(scales).flatMap(({ title, met }) => (met === 'missed' ? [title] : []));

test('a run within all bounds misses none, and says where the aim is met too', () => {
  expect(missed(good)).toEqual([]);
  const push = linesOf([good]).find(({ title }) => title === 'vault write to last pod, by push');
  expect(push).toEqual({ title: 'vault write to last pod, by push', cells: ['2.00 s'], must: '<= 10 s at 1,000', met: 'aim' });
});

test.each<[string, Partial<Scale>]>([
  ['vault write to last pod, by poll', { one: { ...rotation, used: 10.1 } }],
  ['vault write to last pod, by push', { push: { ...rotation, used: 10.1 } }],
  ['99 secrets written at once to last pod', { each: { ...rotation, used: 10.1 } }],
  ['operator, most resident memory', { memory: { ...good.memory, mostMB: 151 } }],
  ['operator, API writes a second, busiest minute', { writesPerSecond: 20.1 }],
  ['operator, ended and started again', { restarts: 1 }],
  ['operator, API writes at rest', { idle: { ...good.idle, writes: 1 } }],
])('beyond its bound it misses: %s', (title, change) => {
  expect(missed({ ...good, ...change })).toEqual([title]);
});

test('what was never measured is missed, and not passed', () => {
  expect(missed({ ...good, one: { ...rotation, used: Number.NaN } })).toEqual(['vault write to last pod, by poll']);
});

test('the bounds of 1,000 pods are none of another number', () => {
  expect(missed({ ...good, pods: 100, writesPerSecond: 100 })).toEqual([]);
});

test('5,000 pods may cost five and a half times what 1,000 cost, each cost by itself', () => {
  const five = { ...good, pods: 5000, push: { ...rotation, cpuSeconds: 5.5, writes: 56 } };
  expect(missed(good, five)).toEqual(['5,000 against 1,000: API writes of a rotation']);
});

test('the table has a column for each number of pods', () => {
  const [head = '', first = ''] = table([{ ...good, pods: 100 }, good]).split('\n');
  expect(head).toMatch(/^ +100 pods +1,000 pods +must +met$/u);
  expect(first).toMatch(/^vault write to last pod, by poll +2\.00 s +2\.00 s +<= 10 s at 1,000 +must$/u);
});
