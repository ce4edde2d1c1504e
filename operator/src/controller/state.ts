import type { Binding } from '@rekey/crds/binding.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import type { Pod } from './pod.ts';

export interface Namespace extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & { labels?: Record<string, string>; deletionTimestamp?: string };
}

export interface RoleBinding extends KubernetesObject {
  roleRef?: { apiGroup: string; kind: string; name: string };
  subjects?: { apiGroup?: string; kind: string; name: string }[];
}

/** The objects of one kind, by key and by namespace. */
export class Table<T extends KubernetesObject> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces = new Map<string, Map<string, T>>();

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): string[] {
    return [...this.#objects.keys()];
  }

  all(): T[] {
    return [...this.#objects.values()];
  }

  in(namespace: string): T[] {
    return [...(this.#namespaces.get(namespace)?.values() ?? [])];
  }

  /** False when what is known is newer: the answer to our own write may overtake the watch. */
  set(object: T): boolean {
    const key = keyOf(object);
    if (isOlder(object, this.#objects.get(key))) return false;
    this.#objects.set(key, object);
    const namespace = object.metadata.namespace ?? '';
    const members = this.#namespaces.get(namespace) ?? new Map<string, T>();
    this.#namespaces.set(namespace, members.set(key, object));
    return true;
  }

  delete(key: string): void {
    const namespace = this.#objects.get(key)?.metadata.namespace ?? '';
    this.#objects.delete(key);
    const members = this.#namespaces.get(namespace);
    members?.delete(key);
    if (members?.size === 0) this.#namespaces.delete(namespace);
  }
}

/** Resource versions of one resource are comparable as numbers (KEP-5504); where they are not, the later one wins. */
function isOlder(object: KubernetesObject, known: KubernetesObject | undefined): boolean {
  if (known === undefined || known.metadata.uid !== object.metadata.uid) return false;
  const [next, before] = [Number(object.metadata.resourceVersion), Number(known.metadata.resourceVersion)];
  return next < before;
}

/** All that the controller knows: what the watches say, kept in memory. */
export interface State {
  credentials: Table<Credential>;
  stores: Table<Store>;
  bindings: Table<Binding>;
  /** Injected ones alone. */
  pods: Table<Pod>;
  namespaces: Table<Namespace>;
  /** Those of the sidecars alone. */
  roleBindings: Table<RoleBinding>;
}

export function emptyState(): State {
  return {
    credentials: new Table(),
    stores: new Table(),
    bindings: new Table(),
    pods: new Table(),
    namespaces: new Table(),
    roleBindings: new Table(),
  };
}
