import type { Phase, RotationStatus } from '@rekey/crds/credential.ts';
import type { Problem } from '../decide/input.ts';
import type { Facts, RotationInput } from './facts.ts';
import { factsOf, probedAccount, settings } from './facts.ts';
import { aimOf, changed, defined, outcomeOf, recorded, remembered } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { Step } from './phases.ts';
import { next } from './phases.ts';
import { circumstances, stillRejected } from './rejected.ts';
import { triggerOf } from './trigger.ts';
import { verdictOf } from './verdict.ts';
import { canaries, prober, probeMilliseconds } from './volunteers.ts';

/** Where the rotation of one credential stands now. Pure, and all memory is in the status: whoever decides next goes on from there. */
export function rotate(input: RotationInput, now: Date): Outcome {
  const before = outcomeOf(input.credential.status ?? {}, input.source);
  const isNew = isNewVersion(before, input);
  let at = isNew ? begun(before, input, now) : before;
  let step: Step | undefined = isNew ? 'New' : at.rotation?.phase;
  while (step !== undefined) {
    const facts = factsOf(at, input, now);
    const taken = next(step, facts);
    if (taken === undefined) return waiting(at, facts, input, now);
    at = enter[taken.to](at, { input, now, problem: taken.problem });
    step = taken.to;
  }
  return at;
}

/**
 * Whether what the source offers, or the pin, is another version than the one that the rotation is about.
 *
 * | the source has just shown it | it is the aim | source  | phase      | still rejected | new |
 * |------------------------------|---------------|---------|------------|----------------|-----|
 * | no                           | any           | any     | any        | any            | no  |
 * | yes                          | no            | any     | any        | any            | yes |
 * | yes                          | yes           | another | any        | any            | yes |
 * | yes                          | yes           | same    | RolledBack | no             | yes: somebody has asked, or it is back |
 * | yes                          | yes           | same    | RolledBack | yes            | no  |
 * | yes                          | yes           | same    | other      | any            | no  |
 */
function isNewVersion(before: Outcome, { chosen, source, credential }: RotationInput): boolean {
  if (chosen.seen !== true || chosen.version === undefined) return false;
  if (chosen.version !== aimOf(before) || source !== before.source) return true;
  if (before.rotation?.phase !== 'RolledBack') return false;
  return !stillRejected(credential, before.source).some(({ version }) => version === chosen.version);
}

/** What was under way is over; nothing is announced yet. */
function begun(before: Outcome, { credential, chosen, source, specChanged }: RotationInput, now: Date): Outcome {
  const { phase } = before.rotation ?? {};
  const underWay = phase === 'Probing' || phase === 'Canary' || phase === 'RollingOut';
  const history = underWay ? recorded(before, { version: aimOf(before) ?? '', result: 'Superseded' }, now) : before.history;
  const again = phase === 'RolledBack' && (before.rejected ?? []).some(({ version }) => version === chosen.version);
  const trigger = triggerOf(before, { pin: credential.spec.version, specChanged, again });
  // Its phase is set by the first transition, which always comes.
  const rotation: RotationStatus = defined({ phase: 'RollingOut', trigger, candidate: chosen.version, startedAt: now.toISOString() });
  const rejected = stillRejected(credential, source);
  return defined({ ...before, rotation, history, rejected: rejected.length === 0 ? undefined : rejected });
}

interface Entering {
  input: RotationInput;
  now: Date;
  problem: Problem | undefined;
}

type Enter = (at: Outcome, entering: Entering) => Outcome;

const nothing = { pods: undefined, refusedAt: undefined, completedAt: undefined, reason: undefined, message: undefined };

const enter: Readonly<Record<Phase, Enter>> = {
  Probing: (at, { now }) => ({ ...at, rotation: moved(at, 'Probing', now) }),

  Canary: (at, { input, now }) =>
    defined({ ...at, account: probedAccount(at.rotation, input.pods) ?? at.account, rotation: moved(at, 'Canary', now) }),

  RollingOut: (at, { input, now }) => {
    const version = aimOf(at);
    const source = at.rotation?.phase === 'Probing' || at.rotation?.phase === 'Canary' ? at.source : input.source;
    const isOther = version !== at.version || source !== at.source;
    return defined({
      ...at,
      version,
      source,
      previousVersion: isOther ? at.version : at.previousVersion,
      previousSource: isOther ? otherSource(at, source) : at.previousSource,
      account: source === at.source ? (probedAccount(at.rotation, input.pods) ?? at.account) : undefined,
      rotation: changed(moved(at, 'RollingOut', now), { candidate: undefined }),
    });
  },

  Complete: (at, { now }) => ({
    ...at,
    rotatedAt: now.toISOString(),
    rotation: changed(moved(at, 'Complete', now), { completedAt: now.toISOString() }),
    history: recorded(at, { version: at.version ?? '', result: 'Complete' }, now),
  }),

  RolledBack: (at, { input, now, problem }) => {
    const { reason, message } = problem ?? { reason: 'Unknown', message: '' };
    const bad = aimOf(at) ?? '';
    const wasOut = at.rotation?.candidate === undefined;
    const rotation = changed(moved(at, 'RolledBack', now), { candidate: bad, reason, message: message.slice(0, 1024) });
    const history = recorded(at, { version: bad, result: 'RolledBack', reason }, now);
    const entry = defined({ version: bad, source: at.source, reason, at: now.toISOString(), ...circumstances(input.credential) });
    const rejected = reason.startsWith('Version') ? at.rejected : remembered(at.rejected, entry);
    const back = wasOut ? { version: at.previousVersion, previousVersion: bad, rotatedAt: wasComplete(at) } : {};
    return defined({ ...at, ...back, rotation, history, rejected });
  },
};

function moved(at: Outcome, phase: Phase, now: Date): RotationStatus {
  return changed(at.rotation as RotationStatus, { ...nothing, phase, since: now.toISOString() });
}

/** Of the version before, when it was another source's. */
function otherSource(at: Outcome, source: string | undefined): string | undefined {
  return at.version === undefined || at.source === source ? undefined : at.source;
}

/** When the version that is taken up again had reached every pod. */
function wasComplete({ previousVersion, rotation, rotatedAt, history = [] }: Outcome): string | undefined {
  if (rotation?.phase !== 'Complete') return rotatedAt;
  const entry = history.find(({ version, result }) => version === previousVersion && result === 'Complete');
  return entry === undefined ? undefined : new Date(Date.parse(entry.at) + entry.durationMilliseconds).toISOString();
}

/** Nothing moves on: who is to try the version, and what has been seen of it. */
function waiting(at: Outcome, { refusedSince }: Facts, { credential, pods }: RotationInput, now: Date): Outcome {
  const { rotation } = at;
  if (rotation === undefined || rotation.phase === 'RolledBack') return at;
  const { accepted } = verdictOf(pods, { version: aimOf(at), source: at.source });
  const acceptedAt = rotation.acceptedAt ?? (accepted.length > 0 ? now.toISOString() : undefined);
  const seen = changed(rotation, { acceptedAt, refusedAt: refusedSince?.toISOString() });
  if (rotation.phase === 'Probing') return { ...at, rotation: probing(seen, pods, now) };
  if (rotation.phase !== 'Canary') return { ...at, rotation: seen };
  return { ...at, rotation: changed(seen, { pods: canaries(pods, rotation.pods ?? [], settings(credential).canaryPods) }) };
}

function probing(rotation: RotationStatus, pods: RotationInput['pods'], now: Date): RotationStatus {
  const [asked] = rotation.pods ?? [];
  const timeIsUp = now.getTime() - Date.parse(rotation.since ?? '') >= probeMilliseconds;
  const names = prober(pods, asked, timeIsUp);
  return changed(rotation, { pods: names, ...(names[0] === asked ? {} : { since: now.toISOString() }) });
}
