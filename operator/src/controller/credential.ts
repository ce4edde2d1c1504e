import type { Credential } from '@rekey/crds/credential.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import { decide } from '../decide/decide.ts';
import type { Reading } from '../decide/input.ts';
import { reportedVersions } from '../decide/reported.ts';
import { dueIn } from '../rotation/due.ts';
import { isPolled } from '../poll/poll.ts';
import type { Polls } from '../poll/schedule.ts';
import { actOnCredential } from './act.ts';
import type { ActContext } from './act.ts';
import { gather, storeState, usesOf } from './gather.ts';
import type { Missed } from './missed.ts';

export interface CredentialContext extends ActContext {
  polls: Polls;
  missed: Missed;
  now: () => number;
  /** The generation of the last decision that rested on an answer of the source, by key. */
  decided: Map<string, number>;
}

/** Gather, decide, act. Resolves with when to look again. */
export async function reconcileCredential(key: string, context: CredentialContext): Promise<number | undefined> {
  const credential = context.state.credentials.get(key);
  if (credential === undefined || credential.metadata.deletionTimestamp !== undefined) return forget(key, context);
  const { reading, asking } = ask(key, credential, context);
  // After a start the status is still right; saying Unknown until the source has answered would only make noise.
  if (asking && isReported(credential)) return undefined;
  const specChanged = isChanged(credential, context.decided.get(key));
  const wait = patienceForPin(credential, specChanged, context);
  return wait > 0 ? wait : decideOn(credential, { reading, specChanged }, context);
}

async function decideOn(
  credential: Credential,
  { reading, specChanged }: { reading: Reading | undefined; specChanged: boolean },
  context: CredentialContext,
): Promise<number> {
  const key = keyOf(credential);
  const bound = credential.status?.pods?.bound ?? 0;
  const input = gather(credential, context.state, { reading, missed: context.missed.of(credential, bound), specChanged });
  const status = decide(input, new Date(context.now()));
  await actOnCredential(credential, status, context);
  if (reading !== undefined) context.decided.set(key, credential.metadata.generation ?? 0);
  return Math.min(context.missed.lookAgainAfter(key, bound), dueIn(credential, status, context.now()));
}

/** Follows the source that the credential names, when it may; `asking` while its first answer is still to come. */
function ask(key: string, credential: Credential, { state, polls }: CredentialContext): { reading: Reading | undefined; asking: boolean } {
  const { metadata, spec } = credential;
  const store = hasStore(spec.source) ? state.stores.get(spec.storeRef.name) : undefined;
  if (!isPolled(spec.source, store)) {
    polls.follow(key, undefined);
    return { reading: reportedVersions(usesOf(credential, state), sourceId(spec, store?.spec)), asking: false };
  }
  const usable = storeState(store, state, metadata.namespace) === 'Found' ? store : undefined;
  polls.follow(key, usable === undefined ? undefined : { store: usable, source: spec.source });
  const reading = polls.reading(key);
  return { reading, asking: usable !== undefined && reading === undefined };
}

/**
 * How long to wait for an answer from after the edit, in milliseconds, before a pin moves the fleet: a version that was live at the last
 * poll may be deleted by now, and a fleet that moves there loses the value that it has.
 */
function patienceForPin(credential: Credential, specChanged: boolean, { polls }: CredentialContext): number {
  const { spec, status } = credential;
  const moves = specChanged && spec.version !== '' && spec.version !== status?.version;
  return moves ? polls.patience(keyOf(credential)) : 0;
}

function forget(key: string, { polls, missed, decided }: CredentialContext): undefined {
  polls.follow(key, undefined);
  missed.forget(key);
  decided.delete(key);
}

function isReported({ metadata, status }: Credential): boolean {
  return status?.observedGeneration === metadata.generation && (status?.conditions ?? []).length > 0;
}

function isChanged({ metadata, status }: Credential, decided = status?.observedGeneration): boolean {
  return decided !== undefined && decided !== metadata.generation;
}
