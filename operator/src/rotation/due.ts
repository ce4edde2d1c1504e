import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import { refusalMilliseconds, settings } from './facts.ts';
import { probeMilliseconds } from './volunteers.ts';

/** In how many milliseconds time alone moves the rotation on; Infinity when it does not. */
export function dueIn(credential: Credential, { rotation }: CredentialStatus, now: number): number {
  if (rotation === undefined) return Number.POSITIVE_INFINITY;
  const { canarySeconds, graceSeconds } = settings(credential);
  const { phase, since, refusedAt, completedAt } = rotation;
  const times = [
    phase === 'Probing' ? after(since, probeMilliseconds) : undefined,
    phase === 'Canary' ? after(since, canarySeconds * 1000) : undefined,
    phase === 'RolledBack' ? undefined : after(refusedAt, refusalMilliseconds(credential)),
    phase === 'Complete' && graceSeconds > 0 ? after(completedAt, graceSeconds * 1000) : undefined,
  ].filter((time) => time !== undefined);
  // What is long past has been decided.
  return Math.max(50, Math.min(...times.filter((time) => time > now - 1000)) - now);
}

function after(time: string | undefined, milliseconds: number): number | undefined {
  return time === undefined ? undefined : Date.parse(time) + milliseconds;
}
