import type { Draft } from '../status.ts';
import { some } from '../decide/input.ts';
import type { Input } from '../decide/input.ts';
import { settings } from './facts.ts';
import type { Outcome } from './outcome.ts';
import { uses } from './verdict.ts';

const type = 'SafeToRevoke';

/** What is known beside the rotation's own outcome. */
export interface RevocableInput extends Pick<Input, 'credential' | 'pods' | 'starting' | 'missed'> {
  /** The newest version at the source, where it is known. */
  newest: string | undefined;
}

/**
 * Whether the version before may be revoked: no pod can use it any more, now or after a refusal. The first row that fits decides;
 * undefined when there is no version before, or none that its name would tell from the one in use.
 *
 * | what is so                                                        | SafeToRevoke | reason           |
 * |-------------------------------------------------------------------|--------------|------------------|
 * | the rotation is not complete                                      | False        | its phase        |
 * | the version before is the newest, and a pin keeps pods from it    | False        | NewestVersion    |
 * | a pod uses another version, or none                               | False        | RollingOut       |
 * | a pod has begun to start, and not reported                        | False        | PodsStarting     |
 * | a pod that matches runs without the sidecar                       | False        | PodsNotBound     |
 * | a pod says that a call with another version is under way, or may fall back to one | False | VersionHeld |
 * | graceSeconds have not passed since the rotation was complete      | False        | GracePeriod      |
 * | none of this                                                      | True         | NoPodUsesIt      |
 *
 * A pod that reads exactly one version tries the newest when that one is refused, so the newest is never safe to revoke.
 */
export function revocable(outcome: Outcome, input: RevocableInput, now: Date): Draft | undefined {
  const { version, previousVersion, rotation } = outcome;
  if (previousVersion === undefined || previousVersion === version || rotation === undefined) return undefined;
  const problem = inTheWay(outcome, input, now);
  if (problem !== undefined) return { type, status: 'False', ...problem };
  return { type, status: 'True', reason: 'NoPodUsesIt', message: `no pod can use version ${previousVersion} any more: it may be revoked` };
}

type Obstacle = Pick<Draft, 'reason' | 'message'>;

function inTheWay(outcome: Outcome, input: RevocableInput, now: Date): Obstacle | undefined {
  const { version, previousVersion, rotation } = outcome;
  const phase = rotation?.phase ?? 'RollingOut';
  if (phase !== 'Complete') return { reason: phase, message: `version ${previousVersion} is needed until the rotation is complete` };
  if (previousVersion === input.newest) {
    return {
      reason: 'NewestVersion',
      message: `a call whose version ${version} is refused would try version ${previousVersion}, the newest`,
    };
  }
  return byPods(outcome, input) ?? grace(outcome, input, now);
}

function byPods(
  { version, source, previousVersion }: Outcome,
  { credential, pods, starting, missed }: RevocableInput,
): Obstacle | undefined {
  const others = pods.filter((pod) => !uses(pod, { version, source })).map(({ name }) => name);
  if (others.length > 0) return { reason: 'RollingOut', message: `pods that do not use version ${version}: ${some(others)}` };
  if (starting.length > 0) return { reason: 'PodsStarting', message: `pods that start, with whichever version: ${some(starting)}` };
  // After a start of the operator they are listed anew: what it said before stands meanwhile.
  if (missed === undefined && credential.status?.safeToRevoke !== previousVersion) {
    return { reason: 'Pending', message: 'the pods that match have not been listed yet' };
  }
  const without = (missed ?? []).map(({ name }) => name);
  if (without.length > 0) return { reason: 'PodsNotBound', message: `pods that match and have no sidecar: ${some(without)}` };
  const holding = pods.filter(({ use }) => (use?.holds ?? []).length > 0);
  if (holding.length === 0) return undefined;
  const versions = [...new Set(holding.flatMap(({ use }) => use?.holds ?? []))].sort().join(', ');
  return {
    reason: 'VersionHeld',
    message: `pods whose calls may still carry version ${versions}: ${some(holding.map(({ name }) => name))}`,
  };
}

function grace({ rotation }: Outcome, { credential }: RevocableInput, now: Date): Obstacle | undefined {
  const until = Date.parse(rotation?.completedAt ?? '') + settings(credential).graceSeconds * 1000;
  if (now.getTime() >= until) return undefined;
  return { reason: 'GracePeriod', message: `calls may fall back to it until ${new Date(until).toISOString()}` };
}
