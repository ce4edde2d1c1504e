import type { CredentialStatus } from '@rekey/crds/credential.ts';
import type { StoreStatus } from '@rekey/crds/store.ts';
import { unobserved } from '@rekey/crds/parts.ts';
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
  /** The API, up to where the namespace comes. */
  api: string;
  plural: string;
  /** They have no namespace. Namespaces have none either, and are asked for by name. */
  isClusterWide?: true;
  query?: Record<string, string>;
  trim?: (object: KubernetesObject) => KubernetesObject;
}

const collections: Record<Kind, Collection> = {
  credentials: { api: apiPath, plural: 'mcpcredentials', trim: withoutDefaultStatus },
  stores: { api: apiPath, plural: 'mcpcredentialstores', isClusterWide: true, trim: withoutDefaultStatus },
  bindings: { api: apiPath, plural: 'mcpcredentialbindings' },
  pods: { api: '/api/v1', plural: 'pods', query: { labelSelector: `${injectedLabel}=true` }, trim: (pod) => trimPod(pod) },
  namespaces: { api: '/api/v1', plural: 'namespaces', trim: metadataOnly },
  roleBindings: {
    api: '/apis/rbac.authorization.k8s.io/v1',
    plural: 'rolebindings',
    query: { fieldSelector: `metadata.name=${sidecarRoleBinding}` },
  },
};

interface Place {
  path: string;
  query: Record<string, string>;
}

/**
 * Where the objects of one kind are watched: `names` are the namespaces that the operator is for, none means all.
 *
 * | names | kind         | watches                                                   |
 * |-------|--------------|-----------------------------------------------------------|
 * | none  | any          | one of the whole cluster                                  |
 * | some  | stores       | one of the whole cluster: they have no namespace          |
 * | some  | namespaces   | one for each name, which needs no right to see the others |
 * | some  | all the rest | one in each namespace                                     |
 */
export function placesOf(kind: Kind, names: readonly string[]): Place[] {
  const { api, plural, isClusterWide, query = {} } = collections[kind];
  if (names.length === 0 || isClusterWide) return [{ path: `${api}/${plural}`, query }];
  return names.map((name) =>
    kind === 'namespaces'
      ? { path: `${api}/${plural}`, query: { fieldSelector: `metadata.name=${name}` } }
      : { path: `${api}/namespaces/${name}/${plural}`, query },
  );
}

interface WatchesOptions {
  get: Get;
  log: Log;
  signal: AbortSignal;
  state: State;
  /** As in lib/src/watch.ts. */
  idleMilliseconds?: number;
  /** None means all. */
  namespaces: readonly string[];
}

/** Keeps the state in step with the API server. */
export class Watches {
  /** What has not been listed yet. */
  readonly #missing = new Set<Place>();
  readonly #options: WatchesOptions;
  /** Once every collection has been listed. */
  readonly ready: Promise<void>;
  /** Who hears of changes from now on; the state is kept in any case. */
  onChange: (change: Change) => void = () => undefined;

  constructor(options: WatchesOptions) {
    this.#options = options;
    const kinds = Object.keys(collections) as Kind[];
    const places = kinds.flatMap((kind) => placesOf(kind, options.namespaces).map((place) => ({ kind, place })));
    for (const { place } of places) this.#missing.add(place);
    this.ready = new Promise((resolve) => {
      for (const { kind, place } of places) void this.#watch(kind, place, resolve);
    });
  }

  /** Whether every collection has been listed once. */
  synced(): boolean {
    return this.#missing.size === 0;
  }

  #watch(kind: Kind, place: Place, whenSynced: () => void): Promise<void> {
    const { get, log, signal, idleMilliseconds } = this.#options;
    const { trim } = collections[kind];
    return listAndWatch<KubernetesObject>({
      ...place,
      get,
      signal,
      ...(idleMilliseconds === undefined ? {} : { idleMilliseconds }),
      trim: (object) => withoutManagedFields(trim?.(object) ?? object),
      onChange: (key, object) => this.#accept(kind, key, object),
      onSynced: () => {
        this.#missing.delete(place);
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

/** What the definition says of an object that nobody has looked at is no status: all else here asks whether there is one. */
function withoutDefaultStatus(object: KubernetesObject & { status?: CredentialStatus | StoreStatus }): KubernetesObject {
  const { status, ...rest } = object;
  return status?.observedGeneration === unobserved ? rest : object;
}

/** Who owns which field: more than half of a small object, and not read here. */
function withoutManagedFields<T extends KubernetesObject>(object: T): T {
  const { managedFields: _unread, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
