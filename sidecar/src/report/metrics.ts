import type { Reason } from '@rekey/lib/reason.ts';
import { Histogram, added, remote } from './histogram.ts';
import type { Limit } from '../limits.ts';

/** What one credential's calls add up to. The hot path only adds to numbers; `exposition.ts` reads them when somebody scrapes. */
export class CallCounters {
  /** By class: 0 = the client went away before an answer, 1 to 5 = 1xx to 5xx. */
  readonly codes: number[] = [0, 0, 0, 0, 0, 0];
  /** Until the answer began. */
  readonly whole = new Histogram(remote);
  /** Of that, what the upstream took: from sending to the answer's head, with connecting, of all attempts. */
  readonly upstream = new Histogram(remote);
  /** The rest. */
  readonly added = new Histogram(added);
  /** Answers that refused the credential. */
  refusals = 0;
  replays = 0;
  /** Values that were replaced in answers. */
  scrubs = 0;
  /** Calls under way. */
  active = 0;
  version: string | undefined;

  /** A call whose answer began after `seconds`; `upstream` of them it waited for the upstream. `status` is 0 when the client went away before. */
  add(status: number, seconds: number, upstream = 0): void {
    const code = Math.floor(status / 100);
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    this.whole.observe(seconds);
    this.added.observe(seconds - upstream);
    if (upstream > 0) this.upstream.observe(upstream);
  }
}

/** Reads of one credential's source. */
export class SourceReads {
  readonly outcomes = new Map<'ok' | Reason, number>();
  readonly times = new Histogram(remote);
}

/** The sidecar's numbers. Labels are bounded: credentials of the pod, classes of status codes, the closed list of reasons. */
export class Metrics {
  readonly calls = new Map<string, CallCounters>();
  readonly errors = new Map<Reason, number>();
  readonly reads = new Map<string, SourceReads>();
  /** Seconds since the values that are in memory were read, by credential. */
  ages: () => Iterable<readonly [credential: string, seconds: number]> = () => [];
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

  /** A read of a source is over, after so many seconds. */
  sourceRead(credential: string, outcome: 'ok' | Reason, seconds: number): void {
    const reads = this.reads.get(credential) ?? new SourceReads();
    reads.outcomes.set(outcome, (reads.outcomes.get(outcome) ?? 0) + 1);
    reads.times.observe(seconds);
    this.reads.set(credential, reads);
  }
}
