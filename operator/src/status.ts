import type { Condition } from '@rekey/crds/parts.ts';
import type { Word } from '@rekey/lib/reason.ts';

/** What a condition should say, before it is compared with what it says. */
export type Draft = Pick<Condition, 'type' | 'status' | 'message'> & { reason: Word };

interface Moment {
  generation: number;
  now: Date;
}

/** The conditions to write: `lastTransitionTime` moves only when the status does (meta/v1 Condition). */
export function conditionsOf(drafts: readonly Draft[], before: readonly Condition[], { generation, now }: Moment): Condition[] {
  return drafts.map((draft) => {
    const old = before.find(({ type }) => type === draft.type);
    const lastTransitionTime = old?.status === draft.status ? old.lastTransitionTime : wholeSeconds(now);
    return { ...draft, observedGeneration: generation, lastTransitionTime };
  });
}

/** As metav1.Time writes it. */
function wholeSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Whether two statuses say the same, whatever the order of their fields. Absent and undefined are the same. */
export function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (isRecord(part) ? sorted(part) : part)) ?? '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
