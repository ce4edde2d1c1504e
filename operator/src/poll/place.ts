import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';

// Apart from what asks: where a secret is can be said without a cloud's client.

/** As a person finds it: eu-central-1/mcp/github, or the ARN. */
export function awsPlace(
  { awsSecretsManager: store }: Pick<StoreSpec, 'awsSecretsManager'>,
  { awsSecretsManager: reference }: CredentialSource,
): string | undefined {
  if (store === undefined || reference === undefined) return undefined;
  return reference.secretId.startsWith('arn:') ? reference.secretId : `${store.region}/${reference.secretId}`;
}

/** As Google's console and tools name it: projects/p/secrets/mcp-github. */
export function gcpPlace(
  { gcpSecretManager: store }: Pick<StoreSpec, 'gcpSecretManager'>,
  { gcpSecretManager: reference }: CredentialSource,
): string | undefined {
  if (store === undefined || reference === undefined) return undefined;
  return `projects/${reference.project ?? store.project}/secrets/${reference.secret}`;
}
