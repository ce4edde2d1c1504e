import type { Draft } from '../status.ts';
import type { Facts } from './facts.ts';
import { count, some } from './input.ts';
import { gone } from './ready.ts';

/**
 * Whether every pod uses status.version: what `kubectl wait --for=condition=Propagated` waits for.
 *
 * | wished version can be used | status.version | pods that do not use it | Propagated | reason         |
 * |----------------------------|----------------|-------------------------|------------|----------------|
 * | no                         | any            | any                     | False      | VersionNotFound, SecretNotFound, … |
 * | yes                        | none           | any                     | Unknown    | Pending        |
 * | yes                        | some           | none                    | True       | AllPodsCurrent |
 * | yes                        | some           | some                    | False      | RollingOut     |
 */
export function propagated(facts: Facts): Draft {
  const type = 'Propagated';
  const problem = gone(facts);
  if (problem !== undefined) return { type, status: 'False', ...problem };
  if (facts.version === undefined) return { type, status: 'Unknown', reason: 'Pending', message: 'no version is known yet' };
  const { waiting } = facts.rollup;
  if (waiting.length === 0) return { type, status: 'True', reason: 'AllPodsCurrent', message: progress(facts) };
  return { type, status: 'False', reason: 'RollingOut', message: `${progress(facts)}; waiting for ${some(waiting)}` };
}

/** "8 of 11 pods use version 8". */
function progress({ rollup, version = '' }: Facts): string {
  if (rollup.bound === 0) return `no running pod carries the credential; the next one starts with version ${version}`;
  return `${rollup.current} of ${count(rollup.bound, 'pod')} use version ${version}`;
}
