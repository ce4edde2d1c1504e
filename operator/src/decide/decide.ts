import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import type { Versions } from '../poll/poll.ts';
import { defined } from '../rotation/outcome.ts';
import type { Outcome } from '../rotation/outcome.ts';
import { settings } from '../rotation/facts.ts';
import { revocable } from '../rotation/revocable.ts';
import { rotate } from '../rotation/rotate.ts';
import { conditionsOf, findCondition } from '../status.ts';
import type { Draft } from '../status.ts';
import { expiresAt, expiry, rotationDue } from './age.ts';
import { conflictOf } from './conflict.ts';
import type { Facts } from './facts.ts';
import type { Input } from './input.ts';
import { podStatus, rollUp } from './pods.ts';
import type { Rollup } from './pods.ts';
import { propagated } from './propagated.ts';
import { available, readyOf } from './available.ts';
import { restartRequired } from './restart.ts';
import { sourceReachable, storeProblem } from './source.ts';
import { chooseVersion } from './version.ts';
import type { ChosenVersion } from './version.ts';

/** The status that one MCPCredential should have. Pure: the same input at the same time gives the same status. */
export function decide(input: Input, now: Date): CredentialStatus {
  const { credential, place, pods } = input;
  const before = credential.status ?? {};
  const { chosen, versions } = choose(input);
  const rotation = rotate({ ...input, chosen, source: sourceOf(chosen, input), versions, exact: input.polled }, now);
  const end = expiresAt(before, rotation, pods);
  const rollup = rollUp(pods, rotation);
  const facts = factsOf(input, chosen, { rotation, rollup });
  const safe = revocable(rotation, { ...input, newest: versions?.current }, now);
  const age = [...expiry(credential, rotation.version, end, now), rotationDue(credential, rotation, now)];
  const moment = { generation: credential.metadata.generation ?? 0, now };
  return defined({
    observedGeneration: moment.generation,
    place,
    ...rotation,
    exact: isExact(credential, rotation) && input.polled ? true : undefined,
    safeToRevoke: safe?.status === 'True' ? rotation.previousVersion : undefined,
    expiresAt: end,
    pods: podStatus(rollup),
    conditions: conditionsOf(drafts(facts, [safe, ...age]), before.conditions ?? [], moment),
  });
}

function choose({ credential, place, store, reading, polled }: Input): { chosen: ChosenVersion; versions: Versions | undefined } {
  const usable = store === 'Found' ? reading : undefined;
  const wish = { pin: credential.spec.version, kept: credential.status?.version, place, pinnable: polled };
  return { chosen: chooseVersion(usable, wish), versions: usable?.versions };
}

/** Until the new source has answered, the version is still the old one's. */
function sourceOf({ seen }: ChosenVersion, { credential, source }: Input): string | undefined {
  return seen === true ? source : (credential.status?.source ?? source);
}

/**
 * Whether sidecars must read one version and no other: without that they would take the newest by themselves, tried or not.
 *
 * | spec.version | probe or canaries | phase      | exact |
 * |--------------|-------------------|------------|-------|
 * | a pin        | any               | any        | yes   |
 * | ''           | some              | any        | yes   |
 * | ''           | none              | RolledBack | yes   |
 * | ''           | none              | other      | no    |
 */
function isExact(credential: Credential, { rotation }: Outcome): boolean {
  const { probe, canaryPods } = settings(credential);
  return credential.spec.version !== '' || probe !== undefined || canaryPods > 0 || rotation?.phase === 'RolledBack';
}

interface Found {
  rotation: Outcome;
  rollup: Rollup;
}

function factsOf(input: Input, { problem }: ChosenVersion, { rotation, rollup }: Found): Facts {
  const { credential, place, pods, reading, polled } = input;
  const { version } = rotation;
  const conflict = conflictOf(
    credential,
    input.siblings,
    pods.map(({ labels }) => labels),
  );
  // The webhook leaves such a credential out of new pods too: a restart would change nothing.
  const missed = conflict !== undefined || input.store === 'NotAllowed' ? [] : input.missed;
  const found = {
    credential,
    place,
    pods,
    polled,
    missed,
    version,
    rotation: rotation.rotation,
    problem,
    rollup,
    conflict,
    audience: input.audience,
  };
  return { ...found, storeProblem: storeProblem(input), asked: reading !== undefined };
}

/** Most telling first: `kubectl describe` shows them in this order. */
function drafts(facts: Facts, others: readonly (Draft | undefined)[]): Draft[] {
  const calls = available(facts);
  const rest = { propagated: propagated(facts), source: sourceReachable(facts), restart: restartRequired(facts) ?? restartBefore(facts) };
  const shown = [readyOf(facts, calls, rest), calls, rest.propagated, rest.source, rest.restart, ...others];
  return shown.filter((draft) => draft !== undefined);
}

function restartBefore({ credential }: Facts): Draft | undefined {
  const condition = findCondition(credential.status?.conditions, 'RestartRequired');
  if (condition === undefined) return undefined;
  const { type, status, reason, message } = condition;
  return { type, status, reason: reason as Draft['reason'], message };
}
