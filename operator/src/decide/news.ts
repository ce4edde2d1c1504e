import type { CredentialStatus } from '@rekey/crds/credential.ts';
import type { Condition } from '@rekey/crds/parts.ts';
import { findCondition } from '../status.ts';

/** One Event. */
export interface News {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

/** What is worth an Event between two statuses of a credential. */
export function newsOf(before: CredentialStatus, after: CredentialStatus): News[] {
  return [started(before, after), completed(before, after), ...readyNews(before, after), restartNews(before, after)].filter(
    (news) => news !== undefined,
  );
}

function started(before: CredentialStatus, { rotation, version = '', previousVersion }: CredentialStatus): News | undefined {
  if (rotation === undefined || rotation.startedAt === before.rotation?.startedAt) return undefined;
  const from = previousVersion === version ? `${previousVersion} of another source` : previousVersion;
  const what = from === undefined ? `first version ${version}` : `version ${from} -> ${version}`;
  return { type: 'Normal', reason: 'RotationStarted', message: `${what}, trigger ${rotation.trigger}` };
}

function completed(before: CredentialStatus, after: CredentialStatus): News | undefined {
  if (after.rotation?.completedAt === undefined || after.rotation.completedAt === before.rotation?.completedAt) return undefined;
  const { bound = 0, current = 0 } = after.pods ?? {};
  const seconds = (rotationMilliseconds(after) / 1000).toFixed(1);
  const pods = `${current} of ${bound} pods use version ${after.version ?? ''} after ${seconds} s`;
  return { type: 'Normal', reason: 'RotationComplete', message: bound === 0 ? 'no running pod carries the credential' : pods };
}

export function rotationMilliseconds({ rotation }: CredentialStatus): number {
  return Math.max(0, Date.parse(rotation?.completedAt ?? '') - Date.parse(rotation?.startedAt ?? '')) || 0;
}

/**
 * | Ready before     | Ready after         | Event                       |
 * |------------------|---------------------|-----------------------------|
 * | not False        | False               | Warning, the reason         |
 * | False            | False, other reason | Warning, the reason         |
 * | False, Suspended | not False           | Normal Resumed              |
 * | False            | not False           | Normal, the reason          |
 * | other            | other               | none                        |
 */
export function readyNews(before: { conditions?: Condition[] | undefined }, after: { conditions?: Condition[] | undefined }): News[] {
  const [old, next] = [findCondition(before.conditions, 'Ready'), findCondition(after.conditions, 'Ready')];
  if (next === undefined) return [];
  const { reason, message } = next;
  if (next.status === 'False') return old?.status === 'False' && old.reason === reason ? [] : [{ type: 'Warning', reason, message }];
  if (old?.status !== 'False') return [];
  return [{ type: 'Normal', reason: old.reason === 'Suspended' ? 'Resumed' : reason, message }];
}

function restartNews(before: CredentialStatus, after: CredentialStatus): News | undefined {
  const next = findCondition(after.conditions, 'RestartRequired');
  if (next?.status !== 'True' || findCondition(before.conditions, 'RestartRequired')?.status === 'True') return undefined;
  return { type: 'Warning', reason: next.reason, message: next.message };
}
