import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import type { Outcome } from '../rotation/outcome.ts';
import { settings } from '../rotation/facts.ts';
import { uses } from '../rotation/verdict.ts';
import type { Draft } from '../status.ts';
import type { BoundPod } from './input.ts';

const day = 86_400_000;

/**
 * When the version in use ends, as the pods that use it were told by the source or the upstream; the earliest of them, and what was known
 * of this version before as long as no pod says otherwise.
 */
export function expiresAt(before: CredentialStatus, { version, source }: Outcome, pods: readonly BoundPod[]): string | undefined {
  const own = pods.filter((pod) => uses(pod, { version, source }));
  const [earliest] = own
    .flatMap(({ use }) => (use?.expiresAt === undefined ? [] : [use.expiresAt]))
    .toSorted((a, b) => Date.parse(a) - Date.parse(b));
  return earliest ?? (before.version === version && before.source === source ? before.expiresAt : undefined);
}

/**
 * Two conditions, where the end of the version in use is known.
 *
 * | its end                          | ExpiringSoon           | Expired          |
 * |----------------------------------|------------------------|------------------|
 * | not known                        | -                      | -                |
 * | further away than the warning    | False NotExpiringSoon  | False NotExpired |
 * | nearer                           | True ExpiringSoon      | False NotExpired |
 * | over                             | True ExpiringSoon      | True Expired     |
 */
export function expiry(credential: Credential, version: string | undefined, end: string | undefined, now: Date): Draft[] {
  if (end === undefined) return [];
  const left = Date.parse(end) - now.getTime();
  const soon = left <= settings(credential).expiryWarningDays * day;
  const ends = `version ${version ?? ''} ends at ${end}`;
  const write = `${ends}: write a new version to the source`;
  return [
    soon
      ? { type: 'ExpiringSoon', status: 'True', reason: 'ExpiringSoon', message: write }
      : { type: 'ExpiringSoon', status: 'False', reason: 'NotExpiringSoon', message: ends },
    left <= 0
      ? { type: 'Expired', status: 'True', reason: 'Expired', message: write }
      : { type: 'Expired', status: 'False', reason: 'NotExpired', message: ends },
  ];
}

/**
 * Whether it is time for a new version, where spec.rotationDueDays says after how long.
 *
 * | rotationDueDays | the version in use has reached every pod | so many days ago | RotationDue        |
 * |-----------------|------------------------------------------|------------------|--------------------|
 * | none            | any                                      | -                | -                  |
 * | some            | no                                       | -                | False RotationNotDue |
 * | some            | yes                                      | no               | False RotationNotDue |
 * | some            | yes                                      | yes              | True RotationDue   |
 */
export function rotationDue(credential: Credential, { version, rotatedAt }: Outcome, now: Date): Draft | undefined {
  const { rotationDueDays: days } = credential.spec;
  if (days === undefined) return undefined;
  const type = 'RotationDue';
  if (rotatedAt === undefined) return { type, status: 'False', reason: 'RotationNotDue', message: 'no version has reached every pod yet' };
  const due = Date.parse(rotatedAt) + days * day;
  const at = new Date(due).toISOString();
  const message = `version ${version ?? ''} is in use since ${rotatedAt}`;
  if (now.getTime() < due) return { type, status: 'False', reason: 'RotationNotDue', message: `${message}; a new one is due at ${at}` };
  return { type, status: 'True', reason: 'RotationDue', message: `${message}; a new one was due at ${at}: write it to the source` };
}
