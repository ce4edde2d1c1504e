import type { CredentialStatus } from '@rekey/crds/credential.ts';
import type { Condition } from '@rekey/crds/parts.ts';
import type { Word } from '@rekey/lib/reason.ts';
import { rotationNews } from '../rotation/news.ts';
import { findCondition } from '../status.ts';

/** One Event. */
export interface News {
  type: 'Normal' | 'Warning';
  reason: Word;
  message: string;
}

type Conditions = Pick<CredentialStatus, 'conditions'>;

/** What is worth an Event between two statuses of a credential. */
export function newsOf(before: CredentialStatus, after: CredentialStatus): News[] {
  const warned = ['RestartRequired', 'ExpiringSoon', 'Expired', 'RotationDue'].map((type) => warning(type, before, after));
  return [...rotationNews(before, after), ...brokenNews('Available', before, after), ...warned].filter((news) => news !== undefined);
}

/**
 * | before           | after               | Event                       |
 * |------------------|---------------------|-----------------------------|
 * | not False        | False               | Warning, the reason         |
 * | False            | False, other reason | Warning, the reason         |
 * | False, Suspended | not False           | Normal Resumed              |
 * | False            | not False           | Normal, the reason          |
 * | other            | other               | none                        |
 */
export function brokenNews(type: 'Available' | 'Ready', before: Conditions, after: Conditions): News[] {
  const [old, next] = [findCondition(before.conditions, type), findCondition(after.conditions, type)];
  if (next === undefined) return [];
  const { message } = next;
  const reason = wordOf(next);
  if (next.status === 'False') return old?.status === 'False' && old.reason === reason ? [] : [{ type: 'Warning', reason, message }];
  if (old?.status !== 'False') return [];
  return [{ type: 'Normal', reason: old.reason === 'Suspended' ? 'Resumed' : reason, message }];
}

/** Of a condition that is bad when it is True: once when it becomes so. */
function warning(type: string, before: Conditions, after: Conditions): News | undefined {
  const next = findCondition(after.conditions, type);
  if (next?.status !== 'True' || findCondition(before.conditions, type)?.status === 'True') return undefined;
  return { type: 'Warning', reason: wordOf(next), message: next.message };
}

/** The operator writes no other. */
const wordOf = ({ reason }: Condition): Word => reason as Word;
