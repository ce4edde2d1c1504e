import type { Credential, RotationStatus } from '@rekey/crds/credential.ts';
import type { ProbeResult } from '@rekey/crds/binding.ts';
import { rotationDefaults } from '@rekey/crds/rotation-defaults.ts';
import type { BoundPod, Problem } from '../decide/input.ts';
import type { ChosenVersion } from '../decide/version.ts';
import type { Versions } from '../poll/poll.ts';
import type { Outcome } from './outcome.ts';
import { aimOf } from './outcome.ts';
import { account, accepted, refusedProbe } from './probe.ts';
import { stillRejected } from './rejected.ts';
import { isRefused, uses, verdictOf } from './verdict.ts';
import { isWayBack } from './way-back.ts';

/** All that a rotation rests on. */
export interface RotationInput {
  /** With the status as it was written last. */
  credential: Credential;
  pods: readonly BoundPod[];
  /** The version that the fleet should use in the end. */
  chosen: ChosenVersion;
  /** What that is a version of. */
  source: string | undefined;
  /** What the source said last of its versions; undefined when it said nothing. */
  versions: Versions | undefined;
  /** Whether a sidecar can read a version that is not the newest: otherwise there is nothing to try, and no way back. */
  exact: boolean;
  specChanged: boolean;
}

/** What is so of one rotation at one moment: the transitions are rows over these. */
export interface Facts {
  /** It goes to all pods at once: no person or source leaves anything to try. */
  atOnce: boolean;
  /** Why this very version was refused before, when nobody has asked to try it again. */
  rejected: Problem | undefined;
  probes: boolean;
  hasCanaries: boolean;
  /** The candidate is no longer what the source has to offer. */
  withdrawn: Problem | undefined;
  probeRefused: Problem | undefined;
  probeAccepted: boolean;
  /** Staying with the version in use would not help: the source has dropped it, or the upstream refuses it and takes the candidate. */
  nothingToLose: boolean;
  /** The upstream refuses it to too many pods, since when, and why once that has lasted. */
  refusedSince: Date | undefined;
  refused: Problem | undefined;
  canariesDone: boolean;
  everywhere: boolean;
  canGoBack: boolean;
}

export const settings = ({ spec }: Credential): NonNullable<Credential['spec']['rotation']> => spec.rotation ?? rotationDefaults;

/** How long refusals must last. Half of the grace leaves as much for going back without a failed call. */
export function refusalMilliseconds(credential: Credential): number {
  const { graceSeconds, refusalSeconds = Math.max(10, graceSeconds / 2) } = settings(credential);
  return refusalSeconds * 1000;
}

export function factsOf(at: Outcome, input: RotationInput, now: Date): Facts {
  const { credential, pods, exact } = input;
  const { probe, canaryPods } = settings(credential);
  const which = { version: aimOf(at), source: at.source };
  const result = probeResult(at.rotation, pods);
  return {
    atOnce: isAtOnce(at, input),
    rejected: rejectedBefore(at, credential),
    probes: probe !== undefined,
    hasCanaries: canaryPods > 0,
    withdrawn: exact ? withdrawn(at, input) : undefined,
    probeRefused: refusedProbe(result, at.account),
    probeAccepted: accepted(result),
    nothingToLose: isNothingToLose(at, input),
    ...refusal(at, input, now),
    canariesDone: areCanariesDone(at, input, now),
    everywhere: pods.every((pod) => uses(pod, which)),
    canGoBack: isWayBack(at, input),
  };
}

/** The answer to the question that this rotation asked, from whichever pod. */
export function probeResult(rotation: RotationStatus | undefined, pods: readonly BoundPod[]): (ProbeResult & { pod: string }) | undefined {
  const asked = pods.flatMap(({ name, use }) => (use?.probe === undefined ? [] : [{ ...use.probe, pod: name }]));
  return asked.find(
    ({ version, startedAt, outcome }) =>
      outcome !== 'Failed' && version === rotation?.candidate && Date.parse(startedAt) === Date.parse(rotation?.startedAt ?? ''),
  );
}

/** Whose credential the probe has shown it to be. */
export function probedAccount(rotation: RotationStatus | undefined, pods: readonly BoundPod[]): string | undefined {
  return account(probeResult(rotation, pods));
}

/**
 * | status.version | source  | spec.version | candidate is status.version | versions can be read one by one | at once |
 * |----------------|---------|--------------|-----------------------------|---------------------------------|---------|
 * | none           | any     | any          | any                         | any                             | yes     |
 * | some           | another | any          | any                         | any                             | yes     |
 * | some           | same    | a pin        | any                         | any                             | yes: a person has decided |
 * | some           | same    | ''           | yes                         | any                             | yes: it goes back |
 * | some           | same    | ''           | no                          | no                              | yes     |
 * | some           | same    | ''           | no                          | yes                             | no      |
 */
function isAtOnce(at: Outcome, { credential, source, exact }: RotationInput): boolean {
  return at.version === undefined || at.source !== source || credential.spec.version !== '' || aimOf(at) === at.version || !exact;
}

function rejectedBefore(at: Outcome, credential: Credential): Problem | undefined {
  const entry = stillRejected(credential, at.source).find(({ version }) => version === aimOf(at));
  if (entry === undefined) return undefined;
  const message = `version ${entry.version} was refused before; edit the spec or set the annotation rekey.dev/refresh to try it again`;
  return { reason: entry.reason as Problem['reason'], message };
}

const gone: Readonly<Record<string, Problem['reason']>> = {
  Deleted: 'VersionDeleted',
  Destroyed: 'VersionDestroyed',
  Disabled: 'VersionDisabled',
};

function withdrawn(at: Outcome, { versions }: RotationInput): Problem | undefined {
  const version = aimOf(at);
  if (versions === undefined || version === undefined || versions.states[version] === 'Live') return undefined;
  const reason = gone[versions.states[version] ?? ''] ?? 'VersionNotFound';
  return { reason, message: `version ${version} is no longer there` };
}

/** A pod reads exactly the version in use, and another one only after a refusal: so one that the candidate works for shows both. */
function isNothingToLose(at: Outcome, { pods, versions }: RotationInput): boolean {
  if (versions !== undefined && at.version !== undefined && versions.states[at.version] !== 'Live') return true;
  const candidate = { version: at.rotation?.candidate, source: at.source };
  const others = pods.filter(({ name }) => at.rotation?.phase !== 'Canary' || !(at.rotation.pods ?? []).includes(name));
  return others.some((pod) => uses(pod, candidate) && pod.use?.acceptedVersion === candidate.version);
}

function refusal(at: Outcome, { credential, pods }: RotationInput, now: Date): Pick<Facts, 'refused' | 'refusedSince'> {
  const { refusalThreshold } = settings(credential);
  const version = aimOf(at);
  const verdict = verdictOf(pods, { version, source: at.source });
  if (!isRefused(verdict, refusalThreshold)) return { refused: undefined, refusedSince: undefined };
  const since = at.rotation?.refusedAt === undefined ? now : new Date(at.rotation.refusedAt);
  const lasts = now.getTime() - since.getTime() >= refusalMilliseconds(credential);
  const many = `${verdict.refused.length} of ${verdict.refused.length + verdict.accepted.length}`;
  const message = `the upstream refuses version ${version ?? ''} to ${many} pods that have used it (${verdict.refused.slice(0, 3).join(', ')})`;
  return { refusedSince: since, refused: lasts ? { reason: 'CredentialRefused', message } : undefined };
}

/** Canaries that nobody calls are done too: they have shown that the version can be read. */
function areCanariesDone(at: Outcome, { credential, pods }: RotationInput, now: Date): boolean {
  const { canarySeconds } = settings(credential);
  const { since, pods: names = [], candidate } = at.rotation ?? {};
  const asked = pods.filter(({ name }) => names.includes(name));
  const over = now.getTime() - Date.parse(since ?? '') >= canarySeconds * 1000;
  return over && asked.every((pod) => uses(pod, { version: candidate, source: at.source }));
}
