import type { RotationStatus } from '@rekey/crds/credential.ts';
import type { Draft } from '../status.ts';
import type { Facts } from './facts.ts';
import { count, some } from './input.ts';
import { gone } from './available.ts';

/**
 * Whether every pod uses the version that it should in the end: what `kubectl wait --for=condition=Propagated` waits for.
 *
 * | wished version can be used | status.version | phase           | pods that do not use it | Propagated | reason         |
 * |----------------------------|----------------|-----------------|-------------------------|------------|----------------|
 * | no                         | any            | any             | any                     | False      | VersionNotFound, SecretNotFound, … |
 * | yes                        | none           | any             | any                     | Unknown    | Pending        |
 * | yes                        | some           | Probing, Canary | any                     | False      | the phase      |
 * | yes                        | some           | RolledBack      | any                     | False      | RolledBack     |
 * | yes                        | some           | other           | none                    | True       | AllPodsCurrent |
 * | yes                        | some           | other           | some                    | False      | RollingOut     |
 */
export function propagated(facts: Facts): Draft {
  const type = 'Propagated';
  const problem = gone(facts);
  if (problem !== undefined) return { type, status: 'False', ...problem };
  if (facts.version === undefined) return { type, status: 'Unknown', reason: 'Pending', message: 'no version is known yet' };
  const held = heldBack(facts);
  if (held !== undefined) return { type, status: 'False', ...held };
  const { waiting } = facts.rollup;
  if (waiting.length === 0) return { type, status: 'True', reason: 'AllPodsCurrent', message: progress(facts) };
  return { type, status: 'False', reason: 'RollingOut', message: `${progress(facts)}; waiting for ${some(waiting)}` };
}

type Held = Pick<Draft, 'reason' | 'message'> | undefined;

/** The version that pods should use in the end is not the one that they are told to use now. */
function heldBack(facts: Facts): Held {
  const { rotation, version = '' } = facts;
  if (rotation?.phase === 'RolledBack') return rolledBack(facts, rotation);
  return rotation?.phase === 'Probing' || rotation?.phase === 'Canary' ? tried(version, rotation.phase, rotation) : undefined;
}

function tried(version: string, reason: 'Probing' | 'Canary', { candidate = '', pods = [] }: RotationStatus): Held {
  const who = reason === 'Probing' ? 'one pod tries it first' : `${count(pods.length, 'pod')} use it first`;
  if (pods.length === 0) return { reason, message: `version ${candidate} waits for a pod that can try it` };
  return { reason, message: `version ${candidate}: ${who} (${some(pods)}); the others stay on version ${version}` };
}

function rolledBack({ rollup, version = '' }: Facts, { candidate = '', reason = '', message = '' }: RotationStatus): Held {
  const where = `${rollup.current} of ${count(rollup.bound, 'pod')} use version ${version}`;
  return { reason: 'RolledBack', message: `version ${candidate} was rolled back (${reason}): ${message}; ${where}` };
}

/** "8 of 11 pods use version 8". */
function progress({ rollup, version = '' }: Facts): string {
  if (rollup.bound === 0) return `no running pod carries the credential; the next one starts with version ${version}`;
  return `${rollup.current} of ${count(rollup.bound, 'pod')} use version ${version}`;
}
