import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { conditionsOf, findCondition } from '../status.ts';
import type { Draft } from '../status.ts';
import { conflictOf } from './conflict.ts';
import type { Facts } from './facts.ts';
import type { Input } from './input.ts';
import { podStatus, rollUp } from './pods.ts';
import type { Rollup } from './pods.ts';
import { propagated } from './propagated.ts';
import { ready } from './ready.ts';
import { restartRequired } from './restart.ts';
import { rotate } from './rotation.ts';
import { sourceReachable, storeProblem } from './source.ts';
import { chooseVersion } from './version.ts';
import type { ChosenVersion } from './version.ts';

/** The status that one MCPCredential should have. Pure: the same input at the same time gives the same status. */
export function decide(input: Input, now: Date): CredentialStatus {
  const { credential, reading, place, specChanged } = input;
  const before = credential.status ?? {};
  const pin = credential.spec.version;
  const chosen = chooseVersion(input.store === 'Found' ? reading : undefined, {
    pin,
    kept: before.version,
    place,
    pinnable: input.polled,
  });
  // Until the new source has answered, the version is still the old one's.
  const source = chosen.seen === true ? input.source : (before.source ?? input.source);
  const rollup = rollUp(input.pods, { version: chosen.version, source });
  const rotation = rotate(before, { version: chosen.version, source, pin, specChanged, everywhere: rollup.waiting.length === 0 }, now);
  const facts = factsOf(input, chosen, rollup);
  const moment = { generation: credential.metadata.generation ?? 0, now };
  return {
    observedGeneration: moment.generation,
    place,
    ...rotation,
    pods: podStatus(rollup),
    conditions: conditionsOf(drafts(facts), before.conditions ?? [], moment),
  };
}

function factsOf(input: Input, { version, problem }: ChosenVersion, rollup: Rollup): Facts {
  const { credential, place, pods, reading, polled } = input;
  const conflict = conflictOf(
    credential,
    input.siblings,
    pods.map(({ labels }) => labels),
  );
  // The webhook leaves such a credential out of new pods too: a restart would change nothing.
  const missed = conflict !== undefined || input.store === 'NotAllowed' ? [] : input.missed;
  const found = { credential, place, pods, polled, missed, version, problem, rollup, conflict, audience: input.audience };
  return { ...found, storeProblem: storeProblem(input), asked: reading !== undefined };
}

/** Most telling first: `kubectl describe` shows them in this order. */
function drafts(facts: Facts): Draft[] {
  const restart = restartRequired(facts) ?? findCondition(facts.credential.status?.conditions, 'RestartRequired');
  const shown = [ready(facts), propagated(facts), sourceReachable(facts)];
  return restart === undefined ? shown : [...shown, pick(restart)];
}

function pick({ type, status, reason, message }: Draft): Draft {
  return { type, status, reason, message };
}
