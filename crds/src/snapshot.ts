import { hasStore } from './source-kind.ts';
import { waysOf } from './ways.ts';
import type { Way } from './ways.ts';
import type { Credential, CredentialSpec } from './credential.ts';
import type { Store, StoreSpec } from './store.ts';

/** What the sidecar starts from: the specs as they were when the pod was created. Holds no value. */
export interface Snapshot {
  credentials: SnapshotCredential[];
  stores: { name: string; spec: StoreSpec }[];
}

export interface SnapshotCredential {
  name: string;
  version?: string;
  /** What `version` is a version of, as the status says it. */
  source?: string;
  /** Whether exactly `version` is read, as the status says it. */
  exact?: true;
  spec: CredentialSpec;
  /** The ways in that work in this pod, where they are not all that the spec allows. */
  ways?: Way[];
}

/** The ways in which this pod's calls with the credential reach the sidecar. */
export function injectedWays({ spec, ways }: Pick<SnapshotCredential, 'spec' | 'ways'>): Way[] {
  return ways ?? waysOf(spec);
}

/** The snapshot of the given credentials, in their order, with the stores that they name. */
export function snapshotOf(reached: readonly { credential: Credential; ways: Way[] }[], stores: readonly Store[]): Snapshot {
  const named = new Set(
    reached.map(({ credential }) => credential.spec).flatMap(({ source, storeRef }) => (hasStore(source) ? storeRef.name : [])),
  );
  return {
    credentials: reached.map(({ credential: { metadata, spec, status }, ways }) => ({
      name: metadata.name,
      ...(status?.version === undefined ? {} : { version: status.version }),
      ...(status?.source === undefined ? {} : { source: status.source }),
      ...(status?.exact === true ? { exact: true as const } : {}),
      spec,
      ...(ways.length === waysOf(spec).length ? {} : { ways }),
    })),
    stores: stores.filter(({ metadata }) => named.has(metadata.name)).map(({ metadata, spec }) => ({ name: metadata.name, spec })),
  };
}
