import type { Versions } from '../poll/poll.ts';
import { some } from './input.ts';
import type { Problem, Reading } from './input.ts';

export interface ChosenVersion {
  version: string | undefined;
  problem?: Problem;
  /** Whether the source has just shown this version; otherwise it is the one kept. */
  seen?: boolean;
}

interface Wish {
  /** spec.version; empty for the newest. */
  pin: string;
  /** status.version: what the fleet uses. */
  kept: string | undefined;
  place: string;
  /** Whether the source keeps versions. */
  pinnable: boolean;
}

/**
 * The version that the fleet should use. What worked last is kept whenever the wish cannot be met: a mistake in a pin or a
 * deletion at the source must not move the fleet to a version that nobody asked for.
 *
 * | answer of the source | pin | state of the pinned, else the newest version | version | problem           |
 * |----------------------|-----|----------------------------------------------|---------|-------------------|
 * | any                  | N   | a source without versions                    | kept    | VersionNotFound   |
 * | none yet             | any | -                                            | kept    | -                 |
 * | a failure            | any | -                                            | kept    | the failure       |
 * | versions             | ''  | live                                         | newest  | -                 |
 * | versions             | ''  | deleted, destroyed, disabled                 | kept    | VersionDeleted, … |
 * | versions             | N   | live                                         | N       | -                 |
 * | versions             | N   | deleted, destroyed, disabled, not there      | kept    | VersionDeleted, … |
 *
 * A pin that is a label counts as the version that it stands for.
 */
export function chooseVersion(reading: Reading | undefined, { pin, kept, place, pinnable }: Wish): ChosenVersion {
  if (pin !== '' && !pinnable) return { version: kept, problem: notPinnable(place) };
  if (reading === undefined) return { version: kept };
  if (reading.failure !== undefined) return { version: kept, problem: reading.failure };
  const { current, aliases = {} } = reading.versions;
  const wanted = pin === '' ? current : (aliases[pin] ?? pin);
  const problem = unusable(reading.versions, { pin, wanted, place });
  return problem === undefined ? { version: wanted, seen: true } : { version: kept, problem };
}

function notPinnable(place: string): Problem {
  const message = `${place} keeps no versions, so spec.version cannot name one: leave it out, and write the old value there to roll back`;
  return { reason: 'VersionNotFound', message };
}

interface Wanted {
  pin: string;
  wanted: string;
  place: string;
}

function unusable(versions: Versions, { pin, wanted, place }: Wanted): Problem | undefined {
  const state = versions.states[wanted];
  if (state === 'Live') return undefined;
  const what = pin === '' ? `the newest version of ${place}, ${wanted},` : `version ${wanted} of ${place}, which spec.version names,`;
  const live = liveVersions(versions);
  const then = live.length === 0 ? 'write a new version' : `set spec.version to a usable one (${some(live)}) or write a new version`;
  if (state === 'Deleted') return { reason: 'VersionDeleted', message: `${what} was deleted: restore it, ${then}` };
  if (state === 'Disabled') return { reason: 'VersionDisabled', message: `${what} is disabled: enable it, ${then}` };
  if (state === 'Destroyed') return { reason: 'VersionDestroyed', message: `${what} was destroyed: ${then}` };
  return { reason: 'VersionNotFound', message: `${what} does not exist: ${then}` };
}

/** What a pin may name: labels, which people can read, and then versions, the newest first where they are numbers. */
function liveVersions({ states, aliases = {} }: Versions): string[] {
  const live = (version: string): boolean => states[version] === 'Live';
  const labels = Object.keys(aliases).filter((label) => live(aliases[label] ?? ''));
  return [...labels, ...Object.keys(states).filter(live).toSorted(newestFirst)];
}

function newestFirst(a: string, b: string): number {
  return b.localeCompare(a, 'en', { numeric: true });
}
