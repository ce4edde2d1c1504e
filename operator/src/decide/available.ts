import { findCondition } from '../status.ts';
import type { Draft } from '../status.ts';
import type { Problem } from './input.ts';
import { count } from './input.ts';
import { withoutPods } from './restart.ts';
import type { Facts } from './facts.ts';

/**
 * Whether real calls succeed with the credential. The first row that fits decides.
 *
 * | what is so                                                  | Available | reason      |
 * |-------------------------------------------------------------|-----------|-------------|
 * | spec.suspend                                                | False     | Suspended     |
 * | an older credential has the host                            | False     | HostConflict  |
 * | the store is not there, or not for this namespace           | False     | StoreNotFound, StoreNotAllowed |
 * | the secret or the version is gone, says the source          | False     | SecretNotFound, VersionDeleted, … |
 * | a pod fails                                                 | False     | what most of them say |
 * | calls of a pod fall back to the version before, and succeed | True      | NewVersionRefused |
 * | the upstream accepted status.version in some pod            | True      | CallsSucceed  |
 * | the operator cannot ask the source                          | False     | SourceUnreachable, SourceDenied, … |
 * | there is no version yet, and only pods could tell it        | Unknown   | NoPods        |
 * | there is no version yet                                     | Unknown   | Pending       |
 * | no pod carries it                                           | Unknown   | NoPods        |
 * | none of this                                                | Unknown   | NoCallsYet    |
 *
 * So an outage that only the operator's own poll sees changes nothing while calls succeed.
 */
export function available(facts: Facts): Draft {
  const problem = inTheWay(facts) ?? gone(facts) ?? facts.rollup.problem;
  if (problem !== undefined) return { type: 'Available', status: 'False', ...problem };
  const { accepted, bound, fallback } = facts.rollup;
  if (fallback !== undefined) return { type: 'Available', status: 'True', ...fallback };
  const version = facts.version ?? '';
  if (accepted > 0) {
    const message = `the upstream accepts version ${version}: seen in ${accepted} of ${count(bound, 'pod')}`;
    return { type: 'Available', status: 'True', reason: 'CallsSucceed', message };
  }
  if (facts.problem !== undefined) return { type: 'Available', status: 'False', ...facts.problem };
  return { type: 'Available', status: 'Unknown', ...unknown(facts, version) };
}

function unknown(facts: Facts, version: string): Pick<Draft, 'reason' | 'message'> {
  if (facts.version === undefined && facts.rollup.bound === 0 && !facts.polled) {
    return { reason: 'NoPods', message: `${withoutPods(facts)}; pods read ${facts.place} themselves` };
  }
  if (facts.version === undefined) return { reason: 'Pending', message: `waiting for the first answer about ${facts.place}` };
  if (facts.rollup.bound === 0) return { reason: 'NoPods', message: `version ${version} exists at ${facts.place}; ${withoutPods(facts)}` };
  const pods = count(facts.rollup.bound, 'pod');
  return { reason: 'NoCallsYet', message: `the credential is in ${pods}, and no call with version ${version} has been answered yet` };
}

/**
 * `Ready` says the same, but is absent while an idle server lacks nothing more than a call: who judges by kstatus (Flux, Helm 4) takes an Unknown
 * for work that goes on, and would wait for a server that nobody calls until its time is over. Absent means Unknown, too, but nobody waits for it
 * (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus).
 *
 * | Available | Propagated, SourceReachable | RestartRequired | pods in a namespace that is not opted in | Ready     |
 * |-----------|-----------------------------|-----------------|------------------------------------------|-----------|
 * | Unknown   | True                        | False           | none                                     | absent    |
 * | other     | any                         | any             | any                                      | Available |
 */
export function readyOf(facts: Facts, calls: Draft, { propagated, source, restart }: Others): Draft | undefined {
  const isSettled = propagated.status === 'True' && source.status === 'True' && restart?.status === 'False';
  return calls.status === 'Unknown' && isSettled && !isLeftOut(facts) ? undefined : { ...calls, type: 'Ready' };
}

/** What the conditions beside it will say. */
interface Others {
  propagated: Draft;
  source: Draft;
  restart: Draft | undefined;
}

/** Until the pods could be listed it is as it was: a new leader must not change the status of every idle server twice. */
function isLeftOut({ credential, missed }: Facts): boolean {
  if (missed === undefined) return findCondition(credential.status?.conditions, 'Ready')?.status === 'Unknown';
  return missed.some(({ optedIn }) => !optedIn);
}

/** What no pod and no source can mend. */
export function inTheWay({ credential, conflict, storeProblem }: Facts): Problem | undefined {
  if (credential.spec.suspend) {
    const message = 'spec.suspend is true: every sidecar has dropped the value and answers 503; set it to false to resume';
    return { reason: 'Suspended', message };
  }
  return conflict ?? storeProblem;
}

const goneReasons = new Set(['SecretNotFound', 'VersionNotFound', 'VersionDeleted', 'VersionDestroyed', 'VersionDisabled']);

/** The source answered, and what it said is final; everything else it says may be about the operator alone. */
export function gone({ problem }: Facts): Problem | undefined {
  return problem !== undefined && goneReasons.has(problem.reason) ? problem : undefined;
}
