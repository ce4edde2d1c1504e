import { hasStore } from './source-kind.ts';
import type { Credential, CredentialSpec } from './credential.ts';
import type { Store, StoreSpec } from './store.ts';

/** What the sidecar starts from: the specs as they were when the pod was created. Holds no value. */
export interface Snapshot {
  credentials: { name: string; version?: string; spec: CredentialSpec }[];
  stores: { name: string; spec: StoreSpec }[];
}

/** The snapshot of the given credentials, in their order, with the stores that they name. */
export function snapshotOf(credentials: readonly Credential[], stores: readonly Store[]): Snapshot {
  const named = new Set(credentials.filter(({ spec }) => hasStore(spec.source)).map(({ spec }) => spec.storeRef.name));
  return {
    credentials: credentials.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      ...(status?.version === undefined ? {} : { version: status.version }),
      spec,
    })),
    stores: stores.filter(({ metadata }) => named.has(metadata.name)).map(({ metadata, spec }) => ({ name: metadata.name, spec })),
  };
}
