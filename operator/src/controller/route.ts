import type { Binding, Use } from '@rekey/crds/binding.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { refreshAnnotation } from '@rekey/crds/names.ts';
import { refreshOf } from '@rekey/crds/refresh.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { same } from '../status.ts';
import type { Pod } from './pod.ts';
import type { Lane, Queue } from './queue.ts';
import type { Namespace, State } from './state.ts';
import type { Change, Kind } from './watches.ts';

export interface Queues {
  credentials: Queue;
  stores: Queue;
  pods: Queue;
  namespaces: Queue;
}

interface RouteContext {
  queues: Queues;
  state: State;
  /** Asks the source of a credential again at once. */
  ask: (key: string) => void;
}

type Router = (change: Change, context: RouteContext) => void;

/** Which keys a change concerns. A change of what only we write concerns none. */
export function route(change: Change, context: RouteContext): void {
  routers[change.kind](change, context);
}

const routers: Record<Kind, Router> = {
  credentials: ({ key, before, after }, { queues, state, ask }) => {
    const [old, next] = [before, after] as [Credential | undefined, Credential | undefined];
    addRefresh(key, [old, next], { queues, state, ask });
    if (old?.metadata.generation === next?.metadata.generation && next?.metadata.deletionTimestamp === undefined) {
      queues.credentials.add(key, 'paced');
      return;
    }
    const namespace = namespaceOf(key);
    ask(key);
    queues.credentials.add(key);
    queues.namespaces.add(namespace);
    // Whether two credentials are in each other's way depends on both.
    for (const other of state.credentials.in(namespace)) if (keyOf(other) !== key) queues.credentials.add(keyOf(other), 'paced');
  },

  stores: ({ key, before, after }, { queues, state }) => {
    queues.stores.add(key);
    const [old, next] = [before, after] as [Store | undefined, Store | undefined];
    if (old?.metadata.generation === next?.metadata.generation && old?.metadata.uid === next?.metadata.uid) return;
    for (const credential of state.credentials.all()) {
      if (credential.spec.storeRef.name === key) queues.credentials.add(keyOf(credential));
    }
  },

  bindings: ({ key, before, after }, { queues, state, ask }) => {
    // A thousand pods report within seconds, and what they report says nothing of what we made.
    if (!same(madeOf(before), madeOf(after))) queues.pods.add(key, 'paced');
    for (const use of changedUses(before as Binding | undefined, after as Binding | undefined))
      addReport(namespaceOf(key), use, { queues, state, ask });
  },

  pods: ({ key, before, after }, { queues, state }) => {
    const [old, next] = [before, after] as [Pod | undefined, Pod | undefined];
    if (old !== undefined && next !== undefined && same(withoutVersion(old), withoutVersion(next))) return;
    const namespace = namespaceOf(key);
    queues.pods.add(key, 'paced');
    queues.namespaces.add(namespace, 'paced');
    addNamespace(namespace, { queues, state }, 'paced');
  },

  namespaces: ({ key, before, after }, { queues, state }) => {
    const [old, next] = [before, after] as [Namespace | undefined, Namespace | undefined];
    queues.namespaces.add(key, 'paced');
    if (!same(old?.metadata.labels, next?.metadata.labels)) addNamespace(key, { queues, state }, 'urgent');
  },

  roleBindings: ({ key }, { queues }) => queues.namespaces.add(namespaceOf(key), 'paced'),
};

function usesOf(binding: Binding | undefined): readonly Use[] {
  return binding?.status?.credentials ?? [];
}

/**
 * A pod carries several credentials, and a report of one says nothing of the others: those would keep a queue busy for whom it matters.
 * Of a binding that another pod takes over all counts: what it says was of nobody before.
 */
function changedUses(before: Binding | undefined, after: Binding | undefined): Pick<Use, 'name' | 'version'>[] {
  const [old, next] = [usesOf(before), usesOf(after)];
  const isTakenOver = before?.spec.podUID !== after?.spec.podUID;
  const changed = next.filter((use) => isTakenOver || !same(nameIn(old, use), use));
  const gone = old.filter((use) => nameIn(next, use) === undefined);
  return [...changed, ...gone.map(({ name }) => ({ name }))];
}

function nameIn(uses: readonly Use[], { name }: Use): Use | undefined {
  return uses.find((use) => use.name === name);
}

/** What the operator writes of a binding. */
function madeOf(binding: KubernetesObject | undefined): unknown {
  if (binding === undefined) return undefined;
  const { metadata, spec } = binding as Binding;
  return { uid: metadata.uid, owners: metadata.ownerReferences, spec };
}

/** Somebody asks for what is new: of the source, or, where only pods may read it, of their kubelets. */
function addRefresh(
  key: string,
  [old, next]: [Credential | undefined, Credential | undefined],
  { queues, state, ask }: RouteContext,
): void {
  if (next === undefined) return;
  if (askedOf(old) !== askedOf(next)) ask(key);
  if (old !== undefined && same(refreshOf([old]), refreshOf([next]))) return;
  for (const pod of state.pods.in(namespaceOf(key))) if (pod.credentials[next.metadata.name] !== undefined) queues.pods.add(keyOf(pod));
}

const askedOf = (credential: Credential | undefined): string | undefined => credential?.metadata.annotations?.[refreshAnnotation];

function addReport(namespace: string, { name, version }: Pick<Use, 'name' | 'version'>, { queues, state, ask }: RouteContext): void {
  const credential = state.credentials.get(`${namespace}/${name}`);
  if (credential === undefined) return;
  if (isNewer(version, credential)) ask(keyOf(credential));
  queues.credentials.add(keyOf(credential), 'paced');
}

function addNamespace(namespace: string, { queues, state }: Pick<RouteContext, 'queues' | 'state'>, lane: Lane): void {
  for (const credential of state.credentials.in(namespace)) queues.credentials.add(keyOf(credential), lane);
}

/** A sidecar that read the source itself, because its time was up or the upstream refused the old value, was there before the poll. */
function isNewer(version: string | undefined, { spec, status }: Credential): boolean {
  if (spec.version !== '' || version === undefined || version === status?.version) return false;
  // Ids have no order: one that is not the known one may be newer.
  return !/^[0-9]+$/u.test(version) || Number(version) > Number(status?.version ?? 0);
}

function withoutVersion(pod: Pod): object {
  return { ...pod, metadata: { uid: pod.metadata.uid } };
}

function namespaceOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}
