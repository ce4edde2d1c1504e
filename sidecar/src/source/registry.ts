import type { CredentialSource } from '@rekey/crds/credential.ts';
import { kindOf } from '@rekey/crds/source-kind.ts';
import type { SourceKind } from '@rekey/crds/source-kind.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Source, SourceContext } from './source.ts';

type Load = () => Promise<(context: SourceContext) => Source>;

/** Each kind of source, loaded when the first credential of a pod reads from one: its library costs memory in every pod. */
const sources: Partial<Record<SourceKind, Load>> = {
  vault: async () => (await import('./vault/vault.ts')).vaultSource,
  awsSecretsManager: async () => (await import('./aws/aws.ts')).awsSource,
  gcpSecretManager: async () => (await import('./gcp/gcp.ts')).gcpSource,
  kubernetesSecret: async () => (await import('./kubernetes/kubernetes.ts')).kubernetesSource,
};

/** The kind that reads this reference; one that this version does not know is a Failure, not a crash. */
export function knownKind(reference: CredentialSource): SourceKind {
  const kind = kindOf(reference);
  if (kind === undefined || sources[kind] === undefined) {
    throw new Failure(
      'StoreNotFound',
      'this sidecar does not know the kind of source that the credential names: restart the pod for a newer one',
    );
  }
  return kind;
}

/** Opens a source of that kind; rejects with a Failure when the store is of another kind. */
export async function openSource(kind: SourceKind, context: SourceContext): Promise<Source> {
  const load = sources[kind] as Load;
  return (await load())(context);
}
