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

/** Versions are ordered only where they are numbers, as Vault's are. */
function older(version: string, expected: string): boolean {
  const numbers = /^[0-9]+$/u.test(version) && /^[0-9]+$/u.test(expected);
  return numbers && BigInt(version) < BigInt(expected);
}
