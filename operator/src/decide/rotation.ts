import type { CredentialStatus, Trigger } from '@rekey/crds/credential.ts';

export type RotationStatus = Pick<CredentialStatus, 'version' | 'previousVersion' | 'source' | 'rotation' | 'history'>;
type Rotation = NonNullable<CredentialStatus['rotation']>;
type Result = NonNullable<CredentialStatus['history']>[number]['result'];

interface Change {
  version: string | undefined;
  /** What `version` is a version of. */
  source: string | undefined;
  pin: string;
  specChanged: boolean;
  /** Whether every pod that carries the credential uses `version`; true when there is none. */
  everywhere: boolean;
}

const keptEntries = 10;

/** A new version, or the same number at another source, starts a rotation; a rotation is complete once the version is everywhere. */
export function rotate(before: CredentialStatus, change: Change, now: Date): RotationStatus {
  const { version, previousVersion, source = change.source, rotation, history } = before;
  const news = change.version !== version || change.source !== source;
  const started = change.version !== undefined && news ? start(before, change, now) : undefined;
  const next = started ?? defined({ version, previousVersion, source, rotation, history });
  return change.everywhere && next.rotation?.phase === 'RollingOut' ? complete(next, next.rotation, now) : next;
}

function start(before: CredentialStatus, change: Change, now: Date): RotationStatus {
  const rotation: Rotation = { phase: 'RollingOut', trigger: triggerOf(before, change), startedAt: now.toISOString() };
  const superseded = before.rotation?.phase === 'RollingOut' ? record(before, before.rotation, 'Superseded', now) : before.history;
  const { version, source } = change;
  return defined({ version, previousVersion: before.version, source, rotation, history: superseded });
}

function complete(status: RotationStatus, rotation: Rotation, now: Date): RotationStatus {
  const history = record(status, rotation, 'Complete', now);
  return defined({ ...status, rotation: { ...rotation, phase: 'Complete', completedAt: now.toISOString() }, history });
}

/**
 * Why the version changes. A pin is undone when the last rotation came from one and there is none any more.
 *
 * | status.version | pin | last trigger  | spec changed | trigger         |
 * |----------------|-----|---------------|--------------|-----------------|
 * | none           | any | -             | any          | Created         |
 * | some           | N   | any           | any          | VersionPinned   |
 * | some           | ''  | VersionPinned | any          | VersionUnpinned |
 * | some           | ''  | other         | yes          | SpecChanged     |
 * | some           | ''  | other         | no           | SourceChanged   |
 */
function triggerOf(before: CredentialStatus, { pin, specChanged }: Change): Trigger {
  if (before.version === undefined) return 'Created';
  if (pin !== '') return 'VersionPinned';
  if (before.rotation?.trigger === 'VersionPinned') return 'VersionUnpinned';
  return specChanged ? 'SpecChanged' : 'SourceChanged';
}

function record(status: RotationStatus, rotation: Rotation, result: Result, now: Date): CredentialStatus['history'] {
  const { trigger, startedAt } = rotation;
  const durationMilliseconds = Math.max(0, now.getTime() - Date.parse(startedAt));
  const entry = { version: status.version ?? '', at: startedAt, trigger, durationMilliseconds, result };
  return [entry, ...(status.history ?? [])].slice(0, keptEntries);
}

function defined(status: { [K in keyof RotationStatus]?: RotationStatus[K] | undefined }): RotationStatus {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined)) as RotationStatus;
}
