import type { Times } from './rotation.ts';

// What the bench says, from what it measured: pure, and the one place where the bounds stand.

export interface Cost {
  /** Of CPU, by the operator. */
  cpuSeconds: number;
  reads: number;
  writes: number;
}
export type Rotation = Times & Cost;

/** What one number of pods cost. */
export interface Scale {
  pods: number;
  /** From the first pod's creation until every credential said that all its pods use the version. */
  start: Cost & { seconds: number };
  /** One credential that every pod carries, found by the poll; the same with a push; and all other credentials at once. */
  one: Rotation;
  push: Rotation;
  each: Rotation;
  idle: Cost & { seconds: number };
  /** Resident, of the operator: with credentials and no pod, settled, and the most at any time, its start with all pods included. */
  memory: { emptyMB: number; settledMB: number; mostMB: number };
  /** How often the operator ended by itself, and was started again. */
  restarts: number;
  /** The most in any minute. */
  writesPerSecond: number;
  largestObject: { what: string; bytes: number };
  /** Milliseconds, at 100 admissions a second. */
  webhook: { p50: number; p99: number };
}

export interface Figure {
  title: string;
  unit: string;
  of: (scale: Scale) => number;
  digits?: number;
  /** At this number of pods; `aim` is what is hoped for. */
  must?: { pods: number; most: number; aim?: number };
}

export const figures: readonly Figure[] = [
  { title: 'vault write to last pod, by poll', unit: 's', of: ({ one }) => one.used, must: { pods: 1000, most: 10 } },
  { title: 'the same, until the status says so', unit: 's', of: ({ one }) => one.propagated },
  { title: 'vault write to last pod, by push', unit: 's', of: ({ push }) => push.used, must: { pods: 1000, most: 10, aim: 2 } },
  { title: 'the same, until the status says so', unit: 's', of: ({ push }) => push.propagated },
  { title: '99 secrets written at once to last pod', unit: 's', of: ({ each }) => each.used, must: { pods: 1000, most: 10 } },
  { title: 'the same, until the last status says so', unit: 's', of: ({ each }) => each.propagated },
  { title: 'operator, most resident memory', unit: 'MB', of: ({ memory }) => memory.mostMB, must: { pods: 1000, most: 150 } },
  {
    title: 'operator, API writes a second, busiest minute',
    unit: '/s',
    of: ({ writesPerSecond }) => writesPerSecond,
    must: { pods: 1000, most: 20 },
  },
  { title: 'operator, API writes at rest', unit: '', of: ({ idle }) => idle.writes, digits: 0, must: { pods: 1000, most: 0 } },
  { title: 'operator, API reads at rest', unit: '/s', of: ({ idle }) => idle.reads / idle.seconds },
  { title: 'operator, CPU at rest', unit: '%', of: ({ idle }) => (100 * idle.cpuSeconds) / idle.seconds },
  { title: 'operator, CPU of a rotation on all pods', unit: 's', of: ({ push }) => push.cpuSeconds },
  { title: 'webhook at 100 admissions a second, p50', unit: 'ms', of: ({ webhook }) => webhook.p50 },
  { title: 'webhook at 100 admissions a second, p99', unit: 'ms', of: ({ webhook }) => webhook.p99 },
  { title: 'operator, ended and started again', unit: '', of: ({ restarts }) => restarts, digits: 0, must: { pods: 1000, most: 0 } },
  { title: 'largest object', unit: 'KB', of: ({ largestObject }) => largestObject.bytes / 1024 },
];

/** What 5,000 pods may cost, against 1,000. A cost so small that the clock is most of it counts as its floor. */
export const growths: readonly { title: string; floor: number; of: (scale: Scale) => number }[] = [
  { title: 'CPU of a rotation on all pods', floor: 0.1, of: ({ push }) => push.cpuSeconds },
  { title: 'CPU of the start of all pods', floor: 0.1, of: ({ start }) => start.cpuSeconds },
  { title: 'CPU at rest', floor: 0.1, of: ({ idle }) => idle.cpuSeconds / idle.seconds },
  { title: 'API writes of a rotation', floor: 1, of: ({ push }) => push.writes },
  { title: 'API writes of the start of all pods', floor: 1, of: ({ start }) => start.writes },
  { title: 'API reads at rest', floor: 1, of: ({ idle }) => idle.reads / idle.seconds },
  { title: 'memory above that without pods', floor: 1, of: ({ memory }) => memory.settledMB - memory.emptyMB },
  { title: 'vault write to last pod, by push', floor: 0.2, of: ({ push }) => push.used },
  { title: 'vault write to status, by push', floor: 0.2, of: ({ push }) => push.propagated },
];
export const mostGrowth = 5.5;

export interface Line {
  title: string;
  cells: string[];
  must: string;
  met: '' | 'aim' | 'must' | 'missed';
}

/** A line for each figure with a cell for each number of pods. */
export function linesOf(scales: readonly Scale[]): Line[] {
  const lines = figures.map((figure): Line => {
    const cells = scales.map((scale) => `${figure.of(scale).toFixed(figure.digits ?? 2)} ${figure.unit}`.trim());
    return { title: figure.title, cells, must: mustOf(figure), met: verdict(figure, scales) };
  });
  return [...lines, ...growthLines(scales)];
}

function growthLines(scales: readonly Scale[]): Line[] {
  const [small, large] = [1000, 5000].map((pods) => scales.find((scale) => scale.pods === pods));
  if (small === undefined || large === undefined) return [];
  return growths.map(({ title, floor, of }) => {
    const ratio = Math.max(floor, of(large)) / Math.max(floor, of(small));
    const cells = scales.map((scale) => (scale === large ? `${ratio.toFixed(2)}x` : ''));
    return { title: `5,000 against 1,000: ${title}`, cells, must: `<= ${mostGrowth}x`, met: ratio <= mostGrowth ? 'must' : 'missed' };
  });
}

function mustOf({ must, unit }: Figure): string {
  if (must === undefined) return '';
  return `<= ${must.most} ${unit}`.trim() + ` at ${must.pods.toLocaleString('en')}`;
}

/**
 * | there is a must, and its number of pods was measured | within it | within the aim | verdict |
 * |-------------------------------------------------------|-----------|----------------|---------|
 * | no                                                    | -         | -              |         |
 * | yes                                                   | no        | -              | missed  |
 * | yes                                                   | yes       | yes            | aim     |
 * | yes                                                   | yes       | no, or none    | must    |
 */
function verdict({ must, of }: Figure, scales: readonly Scale[]): Line['met'] {
  const scale = scales.find(({ pods }) => pods === must?.pods);
  if (must === undefined || scale === undefined) return '';
  const figure = of(scale);
  if (!(figure <= must.most)) return 'missed';
  return must.aim !== undefined && figure <= must.aim ? 'aim' : 'must';
}

export function table(scales: readonly Scale[]): string {
  const head = ['', ...scales.map(({ pods }) => `${pods.toLocaleString('en')} pods`), 'must', 'met'];
  const rows = [head, ...linesOf(scales).map(({ title, cells, must, met }) => [title, ...cells, must, met])];
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(at === 0 ? 62 : 18))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
