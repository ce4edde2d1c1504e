import type { CredentialStatus, HistoryEntry, RejectedEntry, RotationStatus } from '@rekey/crds/credential.ts';

/** The part of the status that a rotation writes, and all that it remembers: it goes on from here whoever decides next. */
export type Outcome = Pick<
  CredentialStatus,
  'version' | 'previousVersion' | 'previousSource' | 'source' | 'account' | 'rotatedAt' | 'rotation' | 'rejected' | 'history'
>;

const keptEntries = 10;

export function outcomeOf(status: CredentialStatus, source: string | undefined): Outcome {
  const { version, previousVersion, previousSource, account, rotation, rejected, history } = status;
  const rotatedAt = status.rotatedAt ?? rotation?.completedAt;
  // A status from before sources were told apart is taken to be of the one that there is now.
  return defined({
    version,
    previousVersion,
    previousSource,
    source: status.source ?? source,
    account,
    rotatedAt,
    rotation,
    rejected,
    history,
  });
}

/** The version that the rotation is about. */
export function aimOf({ version, rotation }: Outcome): string | undefined {
  return rotation?.candidate ?? version;
}

export function recorded(before: Outcome, entry: Omit<HistoryEntry, 'at' | 'trigger' | 'durationMilliseconds'>, now: Date): HistoryEntry[] {
  const { rotation, history = [] } = before;
  if (rotation === undefined) return history;
  const { trigger, startedAt: at } = rotation;
  const durationMilliseconds = Math.max(0, now.getTime() - Date.parse(at));
  // A rotation that was complete and is rolled back has one entry, not two.
  const others = history[0]?.at === at && history[0].version === entry.version ? history.slice(1) : history;
  return [{ at, trigger, durationMilliseconds, ...entry }, ...others].slice(0, keptEntries);
}

export function remembered(entries: readonly RejectedEntry[] = [], entry: RejectedEntry): RejectedEntry[] {
  return [entry, ...entries.filter(({ version }) => version !== entry.version)].slice(0, keptEntries);
}

/** The rotation with some fields changed, and without those that are set to undefined. */
export function changed(rotation: RotationStatus, change: { [K in keyof RotationStatus]?: RotationStatus[K] | undefined }): RotationStatus {
  return defined({ ...rotation, ...change }) as RotationStatus;
}

/** Without the fields that are undefined: a status is written as JSON. */
export function defined<T extends object>(fields: { [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
