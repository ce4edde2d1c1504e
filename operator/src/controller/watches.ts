import { apiPath, injectedLabel } from '@rekey/crds/names.ts';
import type { Log } from '@rekey/lib/log.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import type { Get, KubernetesObject } from '@rekey/lib/watch.ts';
import { trimPod } from './pod.ts';
import { sidecarRoleBinding } from './role-binding.ts';
import type { State, Table } from './state.ts';

export type Kind = keyof State;

/** An object before and after: undefined before it was there, and once it is gone. */
export interface Change {
  kind: Kind;
  key: string;
  before: KubernetesObject | undefined;
  after: KubernetesObject | undefined;
}

interface Collection {
  path: string;
  query?: Record<string, string>;
  trim?: (object: KubernetesObject) => KubernetesObject;
}

const collections: Record<Kind, Collection> = {
  credentials: { path: `${apiPath}/mcpcredentials` },
  stores: { path: `${apiPath}/mcpcredentialstores` },
  bindings: { path: `${apiPath}/mcpcredentialbindings` },
  pods: { path: '/api/v1/pods', query: { labelSelector: `${injectedLabel}=true` }, trim: (pod) => trimPod(pod) },
  namespaces: { path: '/api/v1/namespaces', trim: metadataOnly },
  roleBindings: {
    path: '/apis/rbac.authorization.k8s.io/v1/rolebindings',
    query: { fieldSelector: `metadata.name=${sidecarRoleBinding}` },
  },
};

interface WatchesOptions {
  get: Get;
  log: Log;
  signal: AbortSignal;
  state: State;
  /** As in lib/src/watch.ts. */
  idleMilliseconds?: number;
}

/** Keeps the state in step with the API server. */
export class Watches {
  readonly #missing = new Set<Kind>(Object.keys(collections) as Kind[]);
  readonly #options: WatchesOptions;
  /** Once every collection has been listed. */
  readonly ready: Promise<void>;
  /** Who hears of changes from now on; the state is kept in any case. */
  onChange: (change: Change) => void = () => undefined;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.ready = new Promise((resolve) => {
      for (const kind of this.#missing) void this.#watch(kind, resolve);
    });
  }

  /** Whether every collection has been listed once. */
  synced(): boolean {
    return this.#missing.size === 0;
  }

  #watch(kind: Kind, whenSynced: () => void): Promise<void> {
    const { get, log, signal, idleMilliseconds } = this.#options;
    const { path, query = {}, trim } = collections[kind];
    return listAndWatch<KubernetesObject>({
      path,
      query,
      get,
      signal,
      ...(idleMilliseconds === undefined ? {} : { idleMilliseconds }),
      trim: (object) => withoutManagedFields(trim?.(object) ?? object),
      onChange: (key, object) => this.#accept(kind, key, object),
      onSynced: () => {
        this.#missing.delete(kind);
        if (this.synced()) whenSynced();
      },
      onFailure: ({ step, status, code, attempt }) =>
        log('warn', 'watch failed, listing again', { name: kind, step, status, code, attempt }),
    });
  }

  #accept(kind: Kind, key: string, after: KubernetesObject | undefined): void {
    const table = this.#options.state[kind] as unknown as Table<KubernetesObject>;
    const before = table.get(key);
    if (after === undefined) table.delete(key);
    else if (!table.set(after)) return;
    // What we wrote ourselves is in the state already.
    if (after !== undefined && before?.metadata.uid === after.metadata.uid && versionOf(before) === versionOf(after)) return;
    this.onChange({ kind, key, before, after });
  }
}

function versionOf(object: KubernetesObject | undefined): string | undefined {
  return object?.metadata.resourceVersion;
}

function metadataOnly({ metadata }: KubernetesObject): KubernetesObject {
  return { metadata };
}

/** Who owns which field: more than half of a small object, and not read here. */
function withoutManagedFields<T extends KubernetesObject>(object: T): T {
  const { managedFields: _unread, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
