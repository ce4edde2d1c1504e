import type { Failure, Reason } from '@rekey/lib/reason.ts';
import type { Grant } from './credential.ts';
import type { Plan } from './plan.ts';
import type { Reading } from '../source/source.ts';

// Times in milliseconds of the monotonic clock.

export interface Policy {
  ttl: number;
  /** How long past its TTL a value may serve through an outage. */
  maxStale: number;
  /** How long the version before may be fallen back to; not at all unless given. */
  grace?: number;
}

/** A value in memory. The two grants are made once, so that a hit makes nothing. */
export interface Held {
  hit: Grant;
  stale: Grant;
  readAt: number;
  refreshAt: number;
  /** Whether a call has used it since it was read. */
  used: boolean;
}

/** The last read failed. */
export interface Failed {
  failure: Failure;
  /** It says nothing about the secret or the right to it: what is in hand may serve on. */
  passing: boolean;
  count: number;
  /** Until then the answer is the failure, without a read. */
  until: number;
  /** When to look whether the cause is gone, though no call asks. */
  recheckAt: number;
}

export interface State {
  policy: Policy;
  held: Held | undefined;
  failed: Failed | undefined;
  plan: Plan | undefined;
}

const outages: ReadonlySet<Reason> = new Set(['SourceUnreachable', 'SourceSealed', 'SourceThrottled', 'SourceResponseInvalid']);

/** A value just read. Refreshed at about 80 % of its TTL: pods that started together spread. */
export function heldOf({ value, version }: Reading, { ttl }: Policy, now: number, random: () => number): Held {
  const grant = { value, version };
  return {
    hit: { ...grant, cache: 'hit' },
    stale: { ...grant, cache: 'stale' },
    readAt: now,
    refreshAt: now + ttl * (0.75 + random() / 10),
    used: false,
  };
}

/** The failure of a read: remembered for a second, then up to five, so that a source in trouble is not asked by every call. */
export function failedOf(failure: Failure, { failed, plan }: State, now: number, random: () => number): Failed {
  const count = (failed?.count ?? 0) + 1;
  // A standby may not know yet of a version that the operator has just seen.
  const lagging = failure.reason === 'VersionNotFound' && plan?.expected !== undefined;
  return {
    failure,
    passing: outages.has(failure.reason) || lagging,
    count,
    until: now + Math.min(5000, 1000 * 2 ** Math.min(count - 1, 8)) * (0.8 + 0.4 * random()),
    recheckAt: now + 30_000 * (1 + random()),
  };
}

/** What a call may use without a read: within the TTL, or through an outage for a while longer. */
export function usable({ held, failed, policy }: State, now: number): Grant | undefined {
  if (held === undefined) return undefined;
  const age = now - held.readAt;
  if (age < policy.ttl) return held.hit;
  return failed?.passing === true && age < policy.ttl + policy.maxStale ? held.stale : undefined;
}

export function backingOff({ failed }: State, now: number): boolean {
  return failed !== undefined && now < failed.until;
}

/**
 * What is due without a call.
 *
 * | in hand                        | last read       | due                                                       |
 * |--------------------------------|-----------------|-----------------------------------------------------------|
 * | any                            | any             | a planned read at its time                                |
 * | within TTL, used, past ~80 %   | not backing off | a refresh                                                 |
 * | past TTL, not used             | any             | drop it                                                   |
 * | past TTL, used                 | failed, outage  | a read whenever the pause is over; drop it after maxStale |
 * | past TTL, used                 | any other       | drop it                                                   |
 * | nothing                        | failed          | a read at `recheckAt`: the binding must not lie for long  |
 */
export function due(state: State, now: number): { drop: boolean; read: boolean } {
  const { held, failed, plan } = state;
  const asPlanned = plan !== undefined && now >= plan.at;
  if (held === undefined) return { drop: false, read: asPlanned || (failed !== undefined && now >= failed.recheckAt) };
  const drop = now >= keptUntil(held, state);
  const refresh = !drop && held.used && now >= held.refreshAt && !backingOff(state, now);
  return { drop, read: asPlanned || refresh };
}

/** When `due` should be asked next. */
export function dueAt(state: State, now: number): number {
  return Math.min(state.plan?.at ?? Number.POSITIVE_INFINITY, lifeAt(state, now));
}

function lifeAt(state: State, now: number): number {
  const { held, failed } = state;
  if (held === undefined) return failed?.recheckAt ?? Number.POSITIVE_INFINITY;
  const end = keptUntil(held, state);
  if (now < held.refreshAt) return Math.min(held.refreshAt, end);
  return held.used && failed !== undefined ? Math.min(failed.until, end) : end;
}

function keptUntil({ readAt, used }: Held, { failed, policy }: State): number {
  return readAt + policy.ttl + (used && failed?.passing === true ? policy.maxStale : 0);
}
