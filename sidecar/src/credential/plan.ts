import type { Failure, Reason } from '@rekey/lib/reason.ts';

/** A read of the background. Times in milliseconds of the monotonic clock. */
export interface Plan {
  at: number;
  /** The version that the operator has announced: until the source shows it, it is asked again. */
  expected: string | undefined;
  attempt: number;
  until: number;
}

/** A thousand sidecars hear of a new version in the same millisecond. */
const spread = 200;
const pauses = [200, 500, 1000, 2000, 4000];
const patience = 30_000;

export function planned(expected: string | undefined, now: number, random: () => number): Plan {
  return { at: now + random() * spread, expected, attempt: 0, until: now + patience };
}

/** The plan after a read: done, or another read because a standby has not caught up with what was announced. */
export function planAfter(plan: Plan, version: string | undefined, now: number): Plan | undefined {
  const { expected, attempt, until } = plan;
  if (expected === undefined || now >= until) return undefined;
  if (version !== undefined && !older(version, expected)) return undefined;
  return { ...plan, at: now + (pauses[attempt] ?? 4000), attempt: attempt + 1 };
}

/** What a standby may say that has not heard of the announced version yet: the one before may be gone, or there may be none. */
const behind: ReadonlySet<Reason> = new Set(['SecretNotFound', 'VersionNotFound', 'VersionDeleted', 'VersionDestroyed']);

/** Whether a failure may be one of a standby that lags: worth another read, as long as the plan is. */
export function mayLag({ reason }: Failure, plan: Plan | undefined): boolean {
  return plan?.expected !== undefined && behind.has(reason);
}

/** Whether a reading is from before the announced version, and from before the one in hand: a standby that lags takes nobody back. */
export function takesBack(version: string, inHand: string, plan: Plan | undefined): boolean {
  return plan?.expected !== undefined && older(version, plan.expected) && older(version, inHand);
}

/** Versions are ordered only where they are numbers, as Vault's are. */
function older(version: string, expected: string): boolean {
  const numbers = /^[0-9]+$/u.test(version) && /^[0-9]+$/u.test(expected);
  return numbers && BigInt(version) < BigInt(expected);
}
