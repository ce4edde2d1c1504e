import type { CredentialStatus } from '@rekey/crds/credential.ts';
import type { News } from '../decide/news.ts';
import { findCondition } from '../status.ts';
import { aimOf } from './outcome.ts';

type Item = News | undefined;

/** What is worth an Event of a rotation, in the order in which it happens. */
export function rotationNews(before: CredentialStatus, after: CredentialStatus): Item[] {
  return [
    started(before, after),
    accepted(before, after),
    canaries(before, after),
    rolledBack(before, after),
    completed(before, after),
    revocable(before, after),
  ];
}

const isAnother = (before: CredentialStatus, after: CredentialStatus): boolean => after.rotation?.startedAt !== before.rotation?.startedAt;
/** Between two statuses a rotation may pass through a phase; what it entered last is seen. */
const enters = (before: CredentialStatus, after: CredentialStatus, phase: string): boolean =>
  after.rotation?.phase === phase && (before.rotation?.phase !== phase || isAnother(before, after));

function started(before: CredentialStatus, after: CredentialStatus): Item {
  const { rotation } = after;
  if (rotation === undefined || !isAnother(before, after)) return undefined;
  const how = rotation.phase === 'Probing' ? ', a probe first' : '';
  return { type: 'Normal', reason: 'RotationStarted', message: `${fromTo(before, after)}, trigger ${rotation.trigger}${how}` };
}

function fromTo({ version: from }: CredentialStatus, after: CredentialStatus): string {
  const to = aimOf(after) ?? '';
  if (from === undefined) return `first version ${to}`;
  if (from !== to) return `version ${from} -> ${to}`;
  return after.previousVersion === to ? `version ${to} of another source -> ${to}` : `back to version ${to}`;
}

function accepted(before: CredentialStatus, after: CredentialStatus): Item {
  const [old, next] = [before.rotation, after.rotation];
  if (old?.phase !== 'Probing' || next?.phase === 'Probing' || next?.phase === 'RolledBack' || isAnother(before, after)) return undefined;
  const message = `version ${aimOf(after) ?? ''} goes on: the upstream accepted it from pod ${(old.pods ?? []).join()}`;
  return { type: 'Normal', reason: 'ProbeAccepted', message };
}

function canaries(before: CredentialStatus, after: CredentialStatus): Item {
  if (!enters(before, after, 'Canary')) return undefined;
  const { candidate = '', pods = [] } = after.rotation ?? {};
  return { type: 'Normal', reason: 'Canary', message: `version ${candidate} for ${pods.join(', ')} first` };
}

function rolledBack(before: CredentialStatus, after: CredentialStatus): Item {
  if (!enters(before, after, 'RolledBack')) return undefined;
  const { candidate = '', reason = '', message = '' } = after.rotation ?? {};
  return {
    type: 'Warning',
    reason: 'RolledBack',
    message: `version ${candidate} (${reason}): ${message}; the pods use version ${after.version ?? ''}`,
  };
}

function completed(before: CredentialStatus, after: CredentialStatus): Item {
  if (after.rotation?.completedAt === undefined || after.rotation.completedAt === before.rotation?.completedAt) return undefined;
  const { bound = 0, current = 0 } = after.pods ?? {};
  const seconds = (rotationMilliseconds(after) / 1000).toFixed(1);
  const pods = `${current} of ${bound} pods use version ${after.version ?? ''} after ${seconds} s`;
  return { type: 'Normal', reason: 'RotationComplete', message: bound === 0 ? 'no running pod carries the credential' : pods };
}

/**
 * | safeToRevoke before | after | phase      | Event                   |
 * |---------------------|-------|------------|-------------------------|
 * | other               | N     | any        | Normal SafeToRevoke     |
 * | N                   | none  | Complete   | Warning NotSafeToRevoke |
 * | N                   | none  | other      | none: the next rotation began, and N may be needed no more nor less |
 */
function revocable(before: CredentialStatus, after: CredentialStatus): Item {
  if (before.safeToRevoke === after.safeToRevoke) return undefined;
  if (after.safeToRevoke !== undefined) {
    return { type: 'Normal', reason: 'SafeToRevoke', message: `no pod can use version ${after.safeToRevoke} any more: it may be revoked` };
  }
  if (after.rotation?.phase !== 'Complete' || isAnother(before, after)) return undefined;
  const why = findCondition(after.conditions, 'SafeToRevoke')?.message ?? '';
  return { type: 'Warning', reason: 'NotSafeToRevoke', message: `version ${before.safeToRevoke ?? ''} is in use again: ${why}` };
}

export function rotationMilliseconds({ rotation }: CredentialStatus): number {
  return Math.max(0, Date.parse(rotation?.completedAt ?? '') - Date.parse(rotation?.startedAt ?? '')) || 0;
}
