import type { Trigger } from '@rekey/crds/credential.ts';
import type { Outcome } from './outcome.ts';

interface Cause {
  /** spec.version; empty for the newest. */
  pin: string;
  specChanged: boolean;
  /** The version that was rolled back is the one that is tried again. */
  again: boolean;
}

/**
 * Why the version changes. A pin is undone when the last rotation came from one and there is none any more.
 *
 * | status.version | pin | last trigger  | spec changed | again | trigger         |
 * |----------------|-----|---------------|--------------|-------|-----------------|
 * | none           | any | -             | any          | any   | Created         |
 * | some           | N   | any           | any          | any   | VersionPinned   |
 * | some           | ''  | VersionPinned | any          | any   | VersionUnpinned |
 * | some           | ''  | other         | yes          | any   | SpecChanged     |
 * | some           | ''  | other         | no           | yes   | Requested       |
 * | some           | ''  | other         | no           | no    | SourceChanged   |
 */
export function triggerOf({ version, rotation }: Outcome, { pin, specChanged, again }: Cause): Trigger {
  if (version === undefined) return 'Created';
  if (pin !== '') return 'VersionPinned';
  if (rotation?.trigger === 'VersionPinned') return 'VersionUnpinned';
  if (specChanged) return 'SpecChanged';
  return again ? 'Requested' : 'SourceChanged';
}
