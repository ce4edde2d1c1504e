import type { Use } from '@rekey/crds/binding.ts';
import { reasons } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Reading } from './input.ts';

/**
 * The versions of a source that the operator may not look at, as the pods tell of them: those that read `source` (`sourceId`).
 *
 * | reports of `source`             | versions of it | outcome                                             |
 * |---------------------------------|----------------|-----------------------------------------------------|
 * | some                            | some           | the newest is the one that came last to any pod     |
 * | some, all with a failure        | none           | the failure                                         |
 * | none                            | -              | undefined: nothing is known                         |
 *
 * When a pod first had it says which is newer, by its volume or, of a KV version 1 engine, by its own read: that of a pod that lags
 * stays old, whatever its sidecar does. Rolling back is a change like any other: the old value comes to the pods anew.
 */
export function reportedVersions(uses: readonly Use[], source: string | undefined): Reading | undefined {
  const own = uses.filter((use) => use.version !== undefined && use.source === source);
  const newest = own.toSorted((a, b) => timeOf(b) - timeOf(a))[0]?.version;
  if (newest !== undefined)
    return { versions: { current: newest, states: Object.fromEntries(own.map(({ version = '' }) => [version, 'Live'])) } };
  const failed = uses.find(({ reason }) => reason !== undefined);
  if (failed?.reason === undefined || uses.some(({ reason }) => reason === undefined)) return undefined;
  const reason = failed.reason in reasons ? (failed.reason as Reason) : 'Unknown';
  return { failure: { reason, message: failed.message ?? '' } };
}

const timeOf = ({ createdAt = '' }: Use): number => Date.parse(createdAt) || 0;
