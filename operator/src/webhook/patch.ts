import { isDeepStrictEqual } from 'node:util';
import type { Pod } from './pod.ts';

/** An operation of a JSON patch (RFC 6902). */
export type Operation = { op: 'add'; path: string; value: unknown } | { op: 'remove'; path: string };

/** All that an injection may change. */
const changing = {
  metadata: ['labels', 'annotations'],
  spec: ['volumes', 'initContainers', 'containers', 'hostAliases', 'securityContext'],
} as const;

/**
 * The patch from one pod to the other, whole members at a time: `add` replaces a member that is there (RFC 6902 section 4.1).
 * No indices, so no operation depends on another.
 */
export function patchOf(before: Pod, after: Pod): Operation[] {
  return (['metadata', 'spec'] as const).flatMap((part) =>
    changing[part].flatMap((name) => change(`/${part}/${name}`, before[part][name as never], after[part][name as never])),
  );
}

function change(path: string, before: unknown, after: unknown): Operation[] {
  if (isDeepStrictEqual(before, after)) return [];
  return [after === undefined ? { op: 'remove', path } : { op: 'add', path, value: after }];
}
