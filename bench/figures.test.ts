import type { Peer, Round, Shapes } from './figures.ts';
import { ours, ratio, spreadOf, verdict } from './figures.ts';

const shapes = (small16: number, small1: number): Shapes => ({
  small16: { cpu: small16, requestsPerSecond: 1_000_000 / small16, p50: 0 },
  small1: { cpu: 0, requestsPerSecond: 0, p50: small1 },
  large16: { cpu: 10 * small16, requestsPerSecond: 0, p50: 0 },
  small64: { cpu: 2 * small16, requestsPerSecond: 0, p50: 0 },
});
const round = (rekey: Shapes, peer: Shapes, straight = 100): Round => ({
  rekey,
  peers: { envoy: peer, nginx: peer, haproxy: peer } satisfies Record<Peer, Shapes>,
  straight,
});

test('a ratio is taken within each round, so a round that the machine was slow in does not move it', () => {
  const rounds = [round(shapes(50, 0), shapes(100, 0)), round(shapes(500, 0), shapes(1000, 0)), round(shapes(60, 0), shapes(100, 0))];
  expect(ratio('cpuPerRequest16', rounds, 'envoy')).toEqual({ median: 0.5, least: 0.5, most: 0.6 });
  expect(ratio('cpu256k', rounds, 'nginx').median).toBe(0.5);
  expect(ours('cpuPerRequest64', rounds).median).toBe(120);
  expect(ours('cpuPerRequest16', rounds)).toEqual({ median: 60, least: 50, most: 500 });
});

test('what a call costs without a proxy is no cost of the proxy', () => {
  expect(ratio('addedP50', [round(shapes(1, 200), shapes(1, 300))], 'envoy').median).toBe(0.5);
});

test('the median of an even number lies between the two in the middle', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 });
});

test.each([
  [0.5, { must: 0.85, aim: 0.55 }, 'aim'],
  [0.7, { must: 0.85, aim: 0.55 }, 'must'],
  [0.9, { must: 0.85, aim: 0.55 }, 'missed'],
  [1.9, { must: 1.15, aim: 1.8, more: true as const }, 'aim'],
  [1.2, { must: 1.15, aim: 1.8, more: true as const }, 'must'],
  [1, { must: 1.15, aim: 1.8, more: true as const }, 'missed'],
  [2, { aim: 1.25 }, '-'],
  [1, { aim: 1.25 }, 'aim'],
  [Number.NaN, { must: 0.85, aim: 0.55 }, 'missed'],
])('%p within %j is %p', (figure, bounds, expected) => {
  expect(verdict(figure, bounds)).toBe(expected);
});
