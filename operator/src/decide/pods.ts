import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { reasons } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { count, some } from './input.ts';
import type { BoundPod, Problem } from './input.ts';

/** What the pods that carry a credential say together. */
export interface Rollup {
  bound: number;
  current: number;
  failing: number;
  /** Pods in which the upstream accepted the version. */
  accepted: number;
  /** Names of the pods that do not use the version yet, sorted. */
  waiting: readonly string[];
  /** The reason that most of the failing pods give. */
  problem?: Problem | undefined;
  /** What pods say whose calls succeed with the version before only. */
  fallback?: Problem | undefined;
}

/**
 * A pod is current when its next call carries `version` of `source`; it fails when its sidecar gives a reason. A silent pod is neither.
 * What the upstream accepts of a canary counts: it uses the candidate because it was told to.
 */
export function rollUp(
  pods: readonly BoundPod[],
  { version, source, rotation }: Pick<CredentialStatus, 'version' | 'source' | 'rotation'>,
): Rollup {
  const known = new Set([version, rotation?.phase === 'Canary' ? rotation.candidate : version]);
  const ofSource = pods.filter(({ use }) => version !== undefined && use?.source === source);
  // A set: of thousands of pods, looking each up in a list of the others takes longer than all the rest.
  const current = new Set(ofSource.filter(({ use }) => use?.version === version));
  const fallingBack = pods.filter(({ use }) => use?.reason === 'NewVersionRefused');
  const failing = pods.filter(({ use }) => (use?.reason ?? '') !== '' && use?.reason !== 'NewVersionRefused');
  return {
    bound: pods.length,
    current: current.size,
    failing: failing.length,
    accepted: ofSource.filter(({ use }) => known.has(use?.acceptedVersion ?? '')).length,
    waiting: pods
      .filter((pod) => !current.has(pod))
      .map(({ name }) => name)
      .sort(),
    problem: commonest(failing, pods.length),
    fallback: commonest(fallingBack, pods.length),
  };
}

function commonest(failing: readonly BoundPod[], bound: number): Problem | undefined {
  const groups = Object.entries(Object.groupBy(failing, ({ use }) => use?.reason ?? ''));
  const [reason, pods = []] = groups.sort(([a, left = []], [b, right = []]) => right.length - left.length || (a < b ? -1 : 1))[0] ?? [];
  if (reason === undefined) return undefined;
  const known = reason in reasons ? (reason as Reason) : undefined;
  const names = pods.map(({ name }) => name).sort();
  const message = `${pods.length} of ${count(bound, 'pod')}: ${sentence(pods, known)} (${some(names)})`;
  return { reason: known ?? 'Unknown', message };
}

/** On one line and no longer than a person reads; control characters would reach a terminal. */
export function oneLine(text: string): string {
  const clean = text.replaceAll(/[^\P{C}]/gu, ' ').trim();
  return clean.length > 300 ? `${clean.slice(0, 299)}…` : clean;
}

/** What the sidecar says. */
function sentence(pods: readonly BoundPod[], reason: Reason | undefined): string {
  const said = pods.find(({ use }) => (use?.message ?? '') !== '')?.use?.message ?? '';
  const clean = oneLine(said);
  if (clean !== '') return clean;
  return reason === undefined ? 'the sidecar gives a reason that this operator does not know' : reasons[reason];
}

export function podStatus({ bound, current, failing }: Rollup): NonNullable<CredentialStatus['pods']> {
  return { bound, current, failing, summary: `${current}/${bound}` };
}
