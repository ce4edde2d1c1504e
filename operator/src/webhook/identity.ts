import { sidecarName } from '@rekey/crds/names.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import { audienceOf } from '@rekey/crds/store.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import type { Container, Decision, PodSpec, Volume } from './pod.ts';
import { allContainers } from './pod.ts';

/** Variables that lead a cloud's client to an identity; on AWS written by EKS' own webhooks (IRSA, Pod Identity) or by hand. */
const variables: Partial<Record<keyof StoreSpec, readonly string[]>> = {
  awsSecretsManager: [
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI',
    'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
    'AWS_ACCESS_KEY_ID',
  ],
  gcpSecretManager: ['GOOGLE_APPLICATION_CREDENTIALS'],
};

/** What the API server takes for itself unless its flags say otherwise (--api-audiences): the audience of automounted tokens. */
const apiServer = /^(https:\/\/)?kubernetes\.default(\.svc(\.[a-z0-9.-]+)?)?$/u;

/**
 * Which containers beside the sidecar hold an identity with which they might read the same secrets without it. A warning: whether
 * they could depends on roles and policies that only their owner sees.
 *
 * | the store of a credential        | a container of the app                                     | warned of |
 * |----------------------------------|------------------------------------------------------------|-----------|
 * | AWS, GCP                         | has a variable that leads to an identity at that cloud     | yes       |
 * | any, with the audience A         | mounts a token of the pod with the audience A              | yes       |
 * | any, with the API server's       | mounts a token of the pod without an audience (automount)  | yes       |
 * | any                              | none of these                                              | no        |
 */
export function equivalentIdentities(spec: PodSpec, { credentials, stores }: Snapshot): Decision[] {
  const named = new Set(
    credentials.filter((credential) => hasStore(credential.spec.source)).map((credential) => credential.spec.storeRef.name),
  );
  return stores
    .filter(({ name }) => named.has(name))
    .flatMap((store) => {
      const containers = allContainers(spec).filter(({ name }) => name !== sidecarName);
      return containers.flatMap((container) =>
        held(container, spec.volumes ?? [], store.spec).map((what) => warning(container, what, store.name)),
      );
    });
}

function held(container: Container, volumes: readonly Volume[], store: StoreSpec): string[] {
  const leading = Object.entries(variables).flatMap(([kind, names]) => (store[kind as keyof StoreSpec] === undefined ? [] : names));
  const variable = container.env?.find(({ name }) => leading.includes(name));
  const mounted = new Set(container.volumeMounts?.map(({ name }) => name));
  const token = volumes.filter(({ name }) => mounted.has(name)).find((volume) => hasToken(volume, audienceOf(store)));
  return [
    ...(variable === undefined ? [] : [`has ${variable.name}, which leads to an identity of its own`]),
    ...(token === undefined ? [] : [`mounts ${token.name}, a token with the audience ${audienceOf(store)}`]),
  ];
}

interface Projection {
  serviceAccountToken?: { audience?: string };
}

function hasToken(volume: Volume, audience: string): boolean {
  const { sources = [] } = (volume['projected'] ?? {}) as { sources?: Projection[] };
  const tokens = sources.flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
  return tokens.some((token) => (token.audience ?? '') === audience || ((token.audience ?? '') === '' && apiServer.test(audience)));
}

function warning(container: Container, what: string, store: string): Decision {
  const message =
    `container ${container.name} ${what}: check that it may not read the secrets of MCPCredentialStore ${store}, ` +
    'or the value is as near to the server as it was in its environment';
  return { reason: 'EquivalentIdentity', message };
}
