import { z } from 'zod';
import { objectName, vaultMount, vaultPath } from './parts.ts';
import type { Rule } from './rule.ts';
import { exactlyOne, withRules } from './rule.ts';

const key = z.string().min(1).max(253);
/** Of a secret that is one text: without a key all of it is the value. */
const jsonKey = key
  .optional()
  .meta({ description: 'The field of the secret, which then is a JSON object; dotted when nested. All of the secret unless given.' });

const userKey = key.optional().meta({
  description:
    'The key whose value is the user of basic authentication; the value of `key` is the password then, and both are of one version.',
});

const vaultReference = z.object({
  mount: vaultMount.optional().meta({ description: 'KV mount; the mount of the store unless given.' }),
  path: vaultPath,
  key: key.meta({ description: 'The key of the secret whose value is the credential; dotted when nested.' }),
  userKey,
  role: z.string().min(1).max(128).optional().meta({ description: 'Role of the sidecars; the role of the store unless given.' }),
});
export type VaultReference = z.output<typeof vaultReference>;

/** An IAM role, in whichever partition (https://docs.aws.amazonaws.com/IAM/latest/UserGuide/reference-arns.html). */
export const roleARN = z
  .string()
  .max(2048)
  .regex(/^arn:aws[a-z-]*:iam::[0-9]{12}:role\/[A-Za-z0-9+=,.@_/-]+$/);

const awsReference = z.object({
  secretId: z
    .string()
    .min(1)
    .max(2048)
    .regex(/^[A-Za-z0-9/_+=.@:-]+$/)
    .meta({ description: 'Name or ARN of the secret.' }),
  key: jsonKey,
  userKey,
  roleARN: roleARN.optional().meta({ description: 'Role that the sidecars assume; the role of the store unless given.' }),
});
export type AWSReference = z.output<typeof awsReference>;

/** Id or number of a project; older ones have a domain in front. */
export const gcpProject = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$/);

const gcpReference = z.object({
  project: gcpProject.optional().meta({ description: 'The project of the store unless given.' }),
  secret: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[A-Za-z0-9_-]+$/)
    .meta({ description: 'Id of the secret.' }),
  key: jsonKey,
  userKey,
});
export type GCPReference = z.output<typeof gcpReference>;

const secretKey = withRules(z.string().min(1).max(253), [
  {
    cel: `self.matches('^[A-Za-z0-9._-]+$') && !self.startsWith('..') && self != '.'`,
    message: 'a key of a Secret holds letters, digits and . _ - only',
    holds: (name) => /^[A-Za-z0-9._-]+$/u.test(name) && !name.startsWith('..') && name !== '.',
  },
]);
const kubernetesReference = z.object({
  name: objectName.meta({ description: "A Secret of the credential's own namespace." }),
  key: secretKey.meta({ ...secretKey.meta(), description: 'The key of the Secret whose value is the credential.' }),
  userKey: secretKey.optional().meta({ ...secretKey.meta(), ...userKey.meta() }),
});
export type KubernetesReference = z.output<typeof kubernetesReference>;

const kinds = {
  vault: vaultReference.optional(),
  awsSecretsManager: awsReference.optional(),
  gcpSecretManager: gcpReference.optional(),
  kubernetesSecret: kubernetesReference.optional(),
};

export const source = withRules(z.object(kinds).meta({ description: 'Where the value lives.' }), [
  exactlyOne(Object.keys(kinds), 'source'),
]);
export type CredentialSource = z.output<typeof source>;

/** The key whose value is the user of basic authentication. */
export function userKeyOf(source: CredentialSource): string | undefined {
  return (source.vault ?? source.awsSecretsManager ?? source.gcpSecretManager ?? source.kubernetesSecret)?.userKey;
}

const wholeSecret = (kind: 'awsSecretsManager' | 'gcpSecretManager'): Rule<{ source: CredentialSource }> => ({
  cel: `!has(self.source.${kind}) || !has(self.source.${kind}.userKey) || has(self.source.${kind}.key)`,
  message: 'a user stands beside a password: give key, the field of the secret that holds the password, with userKey',
  holds: ({ source }) => source[kind]?.userKey === undefined || source[kind]?.key !== undefined,
});
export const userRules: readonly Rule<{ source: CredentialSource }>[] = [wholeSecret('awsSecretsManager'), wholeSecret('gcpSecretManager')];

interface Pinned {
  source: CredentialSource;
  version: string;
}

/** What `spec.version` can be, which depends on the source. */
export const pinRules: readonly Rule<Pinned>[] = [
  {
    cel: `!has(self.source.kubernetesSecret) || self.version == ''`,
    message: 'a Kubernetes Secret has no versions: leave version out, and write the old value to the Secret to roll back',
    holds: ({ source, version }) => source.kubernetesSecret === undefined || version === '',
  },
  {
    cel: `!has(self.source.vault) || self.version.matches('^[0-9]*$')`,
    message: 'a version of a secret in Vault is a number such as "7"',
    holds: ({ source, version }) => source.vault === undefined || /^[0-9]*$/u.test(version),
  },
  {
    cel: `!has(self.source.awsSecretsManager) || self.version != 'AWSPENDING'`,
    message: 'AWSPENDING is a version that does not work yet: pin a version id, AWSCURRENT or AWSPREVIOUS',
    holds: ({ source, version }) => source.awsSecretsManager === undefined || version !== 'AWSPENDING',
  },
  // https://cloud.google.com/secret-manager/docs/assign-alias-to-secret-version
  {
    cel: `!has(self.source.gcpSecretManager) || (self.version.matches('^([0-9]*|[A-Za-z][A-Za-z0-9_-]{0,62})$') && self.version != 'latest')`,
    message: 'a version of a secret in GCP is a number or an alias, which begins with a letter: leave version out for the latest',
    holds: ({ source, version }) =>
      source.gcpSecretManager === undefined || (/^([0-9]*|[A-Za-z][A-Za-z0-9_-]{0,62})$/u.test(version) && version !== 'latest'),
  },
];
