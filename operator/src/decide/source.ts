import type { Draft } from '../status.ts';
import type { Facts } from './facts.ts';
import type { Input, Problem } from './input.ts';
import { gone } from './available.ts';

/**
 * Whether the operator reads the metadata of the secret.
 *
 * | store       | answer of the source                     | SourceReachable | reason        |
 * |-------------|------------------------------------------|-----------------|---------------|
 * | not usable  | any                                      | False           | StoreNotFound, StoreNotAllowed |
 * | usable      | none yet                                 | Unknown         | Pending       |
 * | usable      | versions, or that there are none         | True            | MetadataRead  |
 * | usable      | a failure                                | False           | SourceUnreachable, SourceDenied, … |
 */
export function sourceReachable(facts: Facts): Draft {
  const type = 'SourceReachable';
  if (facts.storeProblem !== undefined) return { type, status: 'False', ...facts.storeProblem };
  if (!facts.polled) return readByPods(facts);
  if (!facts.asked) return { type, status: 'Unknown', reason: 'Pending', message: `waiting for the first answer about ${facts.place}` };
  if (facts.problem === undefined || gone(facts) !== undefined) {
    return { type, status: 'True', reason: 'MetadataRead', message: `MCPCredentialStore ${storeName(facts)} answers about ${facts.place}` };
  }
  return { type, status: 'False', ...facts.problem };
}

/**
 * The same for what the operator may not look at, as the pods say it.
 *
 * | reports of the pods    | SourceReachable | reason         |
 * |------------------------|-----------------|----------------|
 * | none                   | Unknown         | Pending        |
 * | a version              | True            | ReadByPods     |
 * | failures alone         | False           | SecretNotFound, … |
 */
function readByPods({ asked, place, problem }: Facts): Draft {
  const type = 'SourceReachable';
  if (!asked)
    return { type, status: 'Unknown', reason: 'Pending', message: `waiting for the first pod to read ${place}: the operator may not` };
  if (problem !== undefined) return { type, status: 'False', ...problem };
  return { type, status: 'True', reason: 'ReadByPods', message: `the pods read ${place} themselves: the operator may not` };
}

function storeName({ credential }: Facts): string {
  return credential.spec.storeRef.name;
}

export function storeProblem({ credential, store }: Pick<Input, 'credential' | 'store'>): Problem | undefined {
  const { name } = credential.spec.storeRef;
  if (store === 'Found') return undefined;
  if (store === 'NotFound') {
    const message = `there is no MCPCredentialStore ${name}: create it, or set spec.storeRef.name to one that kubectl get mcpstore lists`;
    return { reason: 'StoreNotFound', message };
  }
  const message =
    `MCPCredentialStore ${name} does not allow namespace ${credential.metadata.namespace}: ` +
    'give the namespace the labels of its spec.allowedNamespaces, or name another store';
  return { reason: 'StoreNotAllowed', message };
}
