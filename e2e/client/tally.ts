import type { Verdict } from './judge.ts';

/** Milliseconds. */
interface Latency {
  p50: number;
  p99: number;
  max: number;
}

interface Second {
  /** Seconds since 1970, by the end of the call. */
  second: number;
  calls: number;
  failed: number;
  refusedOnPurpose: number;
  slowest: number;
}

interface Failure {
  at: string;
  tool: string;
  message: string;
}

export interface Counts {
  calls: number;
  succeeded: number;
  failed: number;
  refusedOnPurpose: number;
  /** Calls that were due and not made, since too many were still in flight. */
  skipped: number;
  latency: Latency;
}

export interface Report extends Counts {
  failures: Failure[];
  timeline: Second[];
}

const keptFailures = 10;

/** What happened to one server's calls. */
export class Tally {
  readonly #verdicts = { succeeded: 0, failed: 0, refusedOnPurpose: 0 };
  readonly #latencies: number[] = [];
  readonly #failures: Failure[] = [];
  readonly #timeline = new Map<number, Second>();
  #skipped = 0;

  /** `milliseconds`: how long the call took; it ended now. */
  record(tool: string, verdict: Verdict, milliseconds: number): void {
    const now = Date.now();
    this.#verdicts[verdict.is] += 1;
    this.#latencies.push(milliseconds);
    this.#note(Math.floor(now / 1000), verdict, milliseconds);
    if (verdict.is === 'failed' && this.#failures.length < keptFailures) {
      this.#failures.push({ at: new Date(now).toISOString(), tool, message: verdict.message });
    }
  }

  skip(): void {
    this.#skipped += 1;
  }

  report(): Report {
    return { ...counts([this]), failures: this.#failures, timeline: [...this.#timeline.values()] };
  }

  static total(tallies: readonly Tally[]): Counts {
    return counts(tallies);
  }

  get parts() {
    return { ...this.#verdicts, skipped: this.#skipped, latencies: this.#latencies };
  }

  #note(second: number, { is }: Verdict, milliseconds: number): void {
    const entry = this.#timeline.get(second) ?? { second, calls: 0, failed: 0, refusedOnPurpose: 0, slowest: 0 };
    entry.calls += 1;
    if (is !== 'succeeded') entry[is] += 1;
    entry.slowest = Math.max(entry.slowest, round(milliseconds));
    this.#timeline.set(second, entry);
  }
}

function counts(tallies: readonly Tally[]): Counts {
  const parts = tallies.map((tally) => tally.parts);
  const sum = (key: 'succeeded' | 'failed' | 'refusedOnPurpose' | 'skipped') => parts.reduce((total, part) => total + part[key], 0);
  const latencies = parts.flatMap((part) => part.latencies);
  return {
    calls: latencies.length,
    succeeded: sum('succeeded'),
    failed: sum('failed'),
    refusedOnPurpose: sum('refusedOnPurpose'),
    skipped: sum('skipped'),
    latency: percentiles(latencies),
  };
}

function percentiles(latencies: readonly number[]): Latency {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
