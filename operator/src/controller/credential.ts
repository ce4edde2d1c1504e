import type { Credential } from '@rekey/crds/credential.ts';
import { decide } from '../decide/decide.ts';
import type { Polls } from '../poll/schedule.ts';
import { actOnCredential } from './act.ts';
import type { ActContext } from './act.ts';
import { gather, storeState } from './gather.ts';
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
  const { state, polls, missed, decided } = context;
  const credential = state.credentials.get(key);
  if (credential === undefined || credential.metadata.deletionTimestamp !== undefined) return forget(key, context);
  const store = state.stores.get(credential.spec.storeRef.name);
  const usable = storeState(store, state, credential.metadata.namespace) === 'Found' ? store : undefined;
  polls.follow(key, usable === undefined ? undefined : { store: usable, source: credential.spec.source });
  const reading = polls.reading(key);
  // After a start the status is still right; saying Unknown until the source has answered would only make noise.
  if (reading === undefined && usable !== undefined && isReported(credential)) return undefined;
  const specChanged = isChanged(credential, decided.get(key));
  const status = decide(gather(credential, state, { reading, missed: missed.of(credential), specChanged }), new Date(context.now()));
  await actOnCredential(credential, status, context);
  if (reading !== undefined) decided.set(key, credential.metadata.generation ?? 0);
  return missed.lookAgainAfter(key);
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
