// Apart from the schema, since the sidecar is spared zod.
import type { CredentialSource } from './source.ts';
import type { StoreSpec } from './store.ts';

export type SourceKind = keyof CredentialSource;

const kinds: Readonly<Record<SourceKind, true>> = { vault: true, awsSecretsManager: true, gcpSecretManager: true, kubernetesSecret: true };

/** The API server lets exactly one through; undefined for one that a newer version knows. */
export function kindOf(source: CredentialSource): SourceKind | undefined {
  return (Object.keys(kinds) as SourceKind[]).find((kind) => source[kind] !== undefined);
}

/** A Kubernetes Secret is read from a volume of the pod; all else is reached by an MCPCredentialStore. */
export function hasStore(source: CredentialSource): boolean {
  return source.kubernetesSecret === undefined;
}

/** Whether versions can be known without seeing a value, and pinned; where not, a fingerprint of the value stands for one. */
export function hasVersions(source: CredentialSource, store: StoreSpec | undefined): boolean {
  return hasStore(source) && store?.vault?.version !== 'v1';
}
