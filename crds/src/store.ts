import { z } from 'zod';
import { conditions, labels, observedGeneration, vaultMount } from './parts.ts';
import { exactlyOne, withRules } from './rule.ts';
import { gcpProject, roleARN } from './source.ts';

const audience = z.string().min(1).max(253);

const address = withRules(z.string().min(1).max(512), [
  {
    cel: `self.startsWith('https://')`,
    message: 'the address starts with https://: a token must not travel in clear',
    holds: (url) => url.startsWith('https://'),
  },
  {
    cel: `self.matches('^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?$')`,
    message: 'the address is https://host or https://host:port, without a path',
    holds: (url) => /^https:\/\/[A-Za-z0-9.-]+(:[0-9]{1,5})?$/u.test(url),
  },
]);

const caBundle = z
  .string()
  .max(65_536)
  .optional()
  .meta({ description: 'PEM certificates that the endpoints are verified with; the public roots unless given.' });

const vaultAuth = (mount: string, method: string) =>
  z.object({
    mount: vaultMount.default(mount).meta({ description: `Where the ${method} auth method is mounted.` }),
    role: z.string().min(1).max(128).meta({ description: 'Role of the sidecars: reads values.' }),
    operatorRole: z
      .string()
      .min(1)
      .max(128)
      .default('rekey-operator')
      .meta({ description: 'Role of the operator: reads metadata, never a value.' }),
    audience: audience
      .default('vault')
      .meta({ description: 'Audience of the tokens that sidecars and operator log in with. The role must demand the same.' }),
  });
const authMethods = {
  kubernetes: vaultAuth('kubernetes', 'Kubernetes').optional(),
  jwt: vaultAuth('jwt', 'JWT')
    .optional()
    .meta({ description: "For a vault that verifies the tokens of the cluster by its issuer's keys." }),
};
export type VaultAuth = z.output<ReturnType<typeof vaultAuth>>;

const redirectHost = withRules(z.string().min(1).max(259), [
  {
    cel: `self.matches('^[a-z0-9.-]+(:[0-9]{1,5})?$')`,
    message: 'a host to be redirected to is host or host:port in lower case, without https:// and without a path',
    holds: (host) => /^[a-z0-9.-]+(:[0-9]{1,5})?$/u.test(host),
  },
]);

const vault = z.object({
  address,
  caBundle,
  redirectHosts: z
    .array(redirectHost)
    .max(16)
    .optional()
    .meta({
      description:
        'Hosts that a node may send its callers to by a 307, such as the active node of a cluster whose standbys do not forward: host or host:port, by https alone. ' +
        'One redirect is followed, verified with the same caBundle. None unless given: a token goes to no other host.',
      'x-kubernetes-list-type': 'set',
    }),
  namespace: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9_-]+([/][A-Za-z0-9_-]+)*$/)
    .optional()
    .meta({ description: 'Namespace of Vault Enterprise or OpenBao: the X-Vault-Namespace header.' }),
  mount: vaultMount.default('kv').meta({ description: 'KV mount of credentials that name none.' }),
  version: z
    .enum(['v1', 'v2'])
    .optional()
    .meta({
      description:
        'Version of the KV engine, v2 unless given. Version 1 keeps no versions of a secret: the operator cannot poll it without seeing the value, ' +
        'so the sidecars tell of a change, and there is nothing to pin.',
    }),
  auth: withRules(z.object(authMethods), [exactlyOne(Object.keys(authMethods), 'auth method')]),
});
export type VaultStore = z.output<typeof vault>;

const awsSecretsManager = z.object({
  region: z
    .string()
    .max(64)
    .regex(/^[a-z]{2}(-[a-z]+)+-[0-9]+$/)
    .meta({ description: 'Such as eu-central-1.' }),
  roleARN: roleARN.meta({ description: 'IAM role of the sidecars, with secretsmanager:GetSecretValue.' }),
  operatorRoleARN: roleARN.meta({ description: 'IAM role of the operator, with secretsmanager:DescribeSecret and no more.' }),
  audience: audience.default('sts.amazonaws.com').meta({ description: 'Audience of the tokens with which the roles are assumed.' }),
  endpoint: address.optional().meta({ description: 'Of Secrets Manager; the public one of the region unless given. For VPC endpoints.' }),
  stsEndpoint: address.optional().meta({ description: 'Of STS; the public one of the region unless given.' }),
  caBundle,
});
export type AWSStore = z.output<typeof awsSecretsManager>;

const serviceAccountEmail = z
  .string()
  .max(253)
  .regex(/^[a-z0-9-]+@[a-z0-9.-]+[.]gserviceaccount[.]com$/);

const gcpSecretManager = z.object({
  project: gcpProject.meta({ description: 'Project of secrets that name none.' }),
  workloadIdentityProvider: z
    .string()
    .max(512)
    .regex(/^\/\/iam[.]googleapis[.]com\/projects\/[0-9]+\/locations\/global\/workloadIdentityPools\/[a-z0-9-]+\/providers\/[a-z0-9-]+$/)
    .meta({
      description:
        'The provider that takes the tokens of the cluster: //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/NAME.',
    }),
  audience: audience
    .optional()
    .meta({ description: 'Audience of the tokens; https: and the provider unless given, as Google demands by default.' }),
  serviceAccount: serviceAccountEmail
    .optional()
    .meta({ description: "Service account that the sidecars act as; the pods' own federated identities unless given." }),
  operatorServiceAccount: serviceAccountEmail.optional().meta({ description: 'The same for the operator.' }),
  endpoint: address.optional().meta({ description: 'Of Secret Manager; https://secretmanager.googleapis.com unless given.' }),
  stsEndpoint: address.optional().meta({ description: 'Of STS; https://sts.googleapis.com unless given.' }),
  iamEndpoint: address.optional().meta({ description: 'Of IAM credentials; https://iamcredentials.googleapis.com unless given.' }),
  caBundle,
});
export type GCPStore = z.output<typeof gcpSecretManager>;

const kinds = {
  vault: vault.optional(),
  awsSecretsManager: awsSecretsManager.optional(),
  gcpSecretManager: gcpSecretManager.optional(),
};

/** The audience of the tokens that sidecars and operator show to the store; of one that does not exist yet the default of Vault. */
export function audienceOf(store: StoreSpec | undefined): string {
  const { vault: vaultStore, awsSecretsManager: aws, gcpSecretManager: gcp } = store ?? {};
  if (aws !== undefined) return aws.audience;
  if (gcp !== undefined) return gcp.audience ?? `https:${gcp.workloadIdentityProvider}`;
  return vaultStore === undefined ? 'vault' : authOf(vaultStore).audience;
}

/** Of a method that only a newer version knows: a login with it fails, and the rest goes on. */
const unknownAuth: VaultAuth = { mount: '', role: '', operatorRole: '', audience: 'vault' };

/** How one logs in to the vault; the API server lets exactly one method through. */
export function authOf({ auth: { kubernetes, jwt } }: VaultStore): VaultAuth {
  return kubernetes ?? jwt ?? unknownAuth;
}

/** One vault in one place, for the whole cluster. */
export const storeSpec = withRules(
  z.object({
    ...kinds,
    pollIntervalSeconds: z.int().min(1).max(3600).default(5).meta({
      description:
        'How often the operator asks the source for new versions. AWS and GCP are asked once a minute at most, a vault 50 times a second for all its secrets together.',
    }),
    allowedNamespaces: z
      .object({ matchLabels: labels })
      .optional()
      .meta({ description: 'Labels of the namespaces whose credentials may use this store; every namespace unless given.' }),
  }),
  [exactlyOne(Object.keys(kinds), 'kind of store')],
);
export type StoreSpec = z.output<typeof storeSpec>;

export const storeStatus = z.object({
  observedGeneration,
  place: z.string().max(512).optional().meta({ description: 'Where it is: the address of a vault, the region or project at a cloud.' }),
  conditions: conditions.optional(),
});
export type StoreStatus = z.output<typeof storeStatus>;

export interface Store {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; uid?: string; resourceVersion?: string; generation?: number };
  spec: StoreSpec;
  status?: StoreStatus;
}
