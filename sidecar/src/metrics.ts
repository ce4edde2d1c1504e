import type { Reason } from '@rekey/lib/reason.ts';
import type { Limit } from './limits.ts';

/** Upper bounds of `rekey_call_seconds`, in seconds. */
export const bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

/** What one credential's calls add up to. The hot path only adds to numbers; `exposition.ts` reads them when somebody scrapes. */
export class CallCounters {
  /** By class: 0 = the client went away before an answer, 1 to 5 = 1xx to 5xx. */
  readonly codes: number[] = [0, 0, 0, 0, 0, 0];
  /** Not cumulative; one more than `bounds`, for everything above them. */
  readonly buckets: number[] = Array.from({ length: bounds.length + 1 }, () => 0);
  seconds = 0;
  replays = 0;
  /** Values that were replaced in answers. */
  scrubs = 0;
  /** Calls under way. */
  active = 0;
  version: string | undefined;

  /** A call whose answer began after `seconds`. `status` is 0 when the client went away before. */
  add(status: number, seconds: number): void {
    const code = Math.floor(status / 100);
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] ?? 0)) bucket += 1;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.seconds += seconds;
  }
}

/** The sidecar's numbers. Labels are bounded: credentials of the pod, classes of status codes, the closed list of reasons. */
export class Metrics {
  readonly calls = new Map<string, CallCounters>();
  readonly errors = new Map<Reason, number>();
  readonly reads = new Map<string, Map<'ok' | Reason, number>>();
  auditLost = 0;
  /** Open connections to upstreams, in use or kept alive. */
  connections = 0;
  /** Open connections of clients. */
  clients = 0;
  readonly limits = new Map<Limit, number>();

  /** The counters of a credential; `''` is for calls that no credential is for. Keep the result: it is the same object each time. */
  counters(credential: string): CallCounters {
    const known = this.calls.get(credential);
    if (known !== undefined) return known;
    const counters = new CallCounters();
    this.calls.set(credential, counters);
    return counters;
  }

  /** The sidecar answered by itself. */
  error(reason: Reason): void {
    this.errors.set(reason, (this.errors.get(reason) ?? 0) + 1);
  }

  /** A client has reached a limit. */
  limit(limit: Limit): void {
    this.limits.set(limit, (this.limits.get(limit) ?? 0) + 1);
  }

  /** A read of a source is over. */
  sourceRead(credential: string, outcome: 'ok' | Reason): void {
    const outcomes = this.reads.get(credential) ?? new Map<'ok' | Reason, number>();
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    this.reads.set(credential, outcomes);
  }
}
