// What the bench says, from what it measured: pure, and the one place where the bounds stand.

export interface Sample {
  /** Microseconds of CPU for a request. */
  cpu: number;
  requestsPerSecond: number;
  /** Microseconds, as the client sees it. */
  p50: number;
}

export type Shape = 'small16' | 'small1' | 'large16' | 'small64';
export type Shapes = Record<Shape, Sample>;
export type Peer = 'envoy' | 'nginx' | 'haproxy';

/** One round: every proxy under every load, one after the other, and the p50 of a call that goes straight to the upstream. */
export interface Round {
  rekey: Shapes;
  peers: Record<Peer, Shapes>;
  /** Microseconds. */
  straight: number;
}

/** A ratio of ours to a peer's, or a figure of the sidecar alone. `more` is what is better. */
export interface Bounds {
  must?: number;
  aim: number;
  more?: true;
}

export interface RatioFigure {
  title: string;
  unit: string;
  of: (shapes: Shapes, straight: number) => number;
  against: { envoy: Bounds; nginx: Bounds };
}

/** Takes away what the call costs without a proxy. One microsecond at least: on a busy machine a proxy can look faster than none. */
const added = ({ small1 }: Shapes, straight: number): number => Math.max(1, small1.p50 - straight);

export const ratioFigures = {
  cpuPerRequest16: {
    title: 'CPU per request, 16 connections, 1 KB',
    unit: 'us',
    of: ({ small16 }) => small16.cpu,
    against: { envoy: { must: 0.85, aim: 0.55 }, nginx: { aim: 1.25 } },
  },
  requestsPerSecond16: {
    title: 'requests a second, 16 connections',
    unit: '/s',
    of: ({ small16 }) => small16.requestsPerSecond,
    against: { envoy: { must: 1.15, aim: 1.8, more: true }, nginx: { aim: 0.85, more: true } },
  },
  cpuPerRequest64: {
    title: 'CPU per request, 64 connections, 1 KB',
    unit: 'us',
    of: ({ small64 }) => small64.cpu,
    against: { envoy: { must: 1, aim: 0.85 }, nginx: { aim: 1.5 } }, // ours: what holds for 16 must not end with more
  },
  addedP50: {
    title: 'added p50, 1 connection, 1 KB',
    unit: 'us',
    of: added,
    against: { envoy: { must: 0.65, aim: 0.45 }, nginx: { aim: 1 } },
  },
  cpu256k: {
    title: 'CPU per answer of 256 KB, 16 connections',
    unit: 'us',
    of: ({ large16 }) => large16.cpu,
    against: { envoy: { must: 0.8, aim: 0.6 }, nginx: { aim: 0.9 } },
  },
} as const satisfies Record<string, RatioFigure>;
export type RatioKey = keyof typeof ratioFigures;

/** Of the sidecar alone. `bounds` are those of DESIGN.md section 7; the others are told beside them. */
export const ownFigures = {
  anonIdleMB: { title: 'private memory, idle after its first read', unit: 'MB', bounds: { must: 20, aim: 14 } },
  anonSaturatedMB: { title: 'private memory, most of these and 64 connections', unit: 'MB', bounds: { must: 40, aim: 28 } },
  anonCrowdMB: { title: 'the same, and 64 answers of 256 KB at a time', unit: 'MB', bounds: undefined },
  startMs: { title: 'start to open door', unit: 'ms', bounds: { must: 80, aim: 40 } },
  firstStartMs: { title: "the same, making the pod's CA", unit: 'ms', bounds: undefined },
  firstCredentialMs: { title: 'start to the first answer with a credential', unit: 'ms', bounds: undefined },
  emptyStartMs: { title: 'start of an empty program', unit: 'ms', bounds: undefined },
  imageCompressedMB: { title: 'image, compressed', unit: 'MB', bounds: { must: 60, aim: 48 } },
} as const satisfies Record<string, { title: string; unit: string; bounds: Bounds | undefined }>;
export type OwnKey = keyof typeof ownFigures;

/** Median, least and most. */
export interface Spread {
  median: number;
  least: number;
  most: number;
}

export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return { median: (lower + upper) / 2, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}

/** Ours to the peer's, round by round: what disturbs a round disturbs both, and is gone from their ratio. */
export function ratio(key: RatioKey, rounds: readonly Round[], peer: Peer): Spread {
  const { of }: RatioFigure = ratioFigures[key];
  return spreadOf(rounds.map(({ rekey, peers, straight }) => of(rekey, straight) / of(peers[peer], straight)));
}

/** Ours, in the figure's own unit. */
export function ours(key: RatioKey, rounds: readonly Round[]): Spread {
  const { of }: RatioFigure = ratioFigures[key];
  return spreadOf(rounds.map(({ rekey, straight }) => of(rekey, straight)));
}

/**
 * | within must        | within aim | verdict |
 * |--------------------|------------|---------|
 * | yes, or there is none | yes     | aim     |
 * | yes                | no         | must    |
 * | there is none      | no         | -       |
 * | no                 | -          | missed  |
 */
export type Verdict = 'aim' | 'must' | '-' | 'missed';

export function verdict(figure: number, { must, aim, more }: Bounds): Verdict {
  const within = (bound: number): boolean => (more ? figure >= bound : figure <= bound);
  if (must !== undefined && !within(must)) return 'missed';
  if (within(aim)) return 'aim';
  return must === undefined ? '-' : 'must';
}
