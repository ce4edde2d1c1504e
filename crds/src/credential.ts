import { z } from 'zod';
import { host } from './host.ts';
import { allow, allowRules } from './allow.ts';
import { conditions, labelSelector, objectName, observedGeneration, time } from './parts.ts';
import { historyEntry, rejectedEntry, rotationRules, rotationSpec, rotationStatus } from './rotation.ts';
import { place, placeRules } from './place.ts';
import { pinRules, source, userRules } from './source.ts';
import type { Rule } from './rule.ts';
import { withRules } from './rule.ts';
import { via, viaRules } from './via.ts';

const together: Rule<{ jsonField?: string | undefined; equals?: string | undefined }> = {
  cel: 'has(self.jsonField) == has(self.equals)',
  message: 'give jsonField and equals together, such as {status: 200, jsonField: error, equals: invalid_auth}',
  holds: ({ jsonField, equals }) => (jsonField === undefined) === (equals === undefined),
};
const refusal = withRules(
  z
    .object({
      status: z.int().min(200).max(599),
      jsonField: z
        .string()
        .min(1)
        .max(128)
        .regex(/^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$/)
        .optional()
        .meta({ description: 'Field of the JSON answer, dotted when nested.' }),
      equals: z.string().min(1).max(256).optional(),
    })
    .meta({ description: 'How this upstream says that a credential is refused.' }),
  [together],
);
export type Refusal = z.output<typeof refusal>;

const env = z.object({
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
  placeholder: z
    .string()
    .min(8)
    .max(256)
    .regex(/^[A-Za-z0-9._~-]+$/)
    .optional()
    .meta({ description: 'What the server gets instead of the value, where it checks the shape; rekey-placeholder-NAME unless given.' }),
});

/** The user's part of an MCPCredential. */
const fields = z.object({
  source,
  storeRef: z
    .object({ name: objectName })
    .default({ name: 'default' })
    .meta({ description: 'The MCPCredentialStore to read from. A Kubernetes Secret needs none.' }),
  version: z
    .string()
    .max(64)
    .regex(/^[A-Za-z0-9._-]*$/)
    .default('')
    .meta({
      description:
        'A pin: the version to use. Empty means the newest. Vault: a number; AWS: a version id or staging label; GCP: a number or alias.',
    }),
  hosts: z
    .array(host)
    .min(1)
    .max(16)
    .meta({ description: 'The upstream hosts that get the value, and no other.', 'x-kubernetes-list-type': 'set' }),
  inject: z.array(place).min(1).max(4).meta({ 'x-kubernetes-list-type': 'atomic' }),
  allow,
  refused: z
    .array(refusal)
    .min(1)
    .max(8)
    .default([{ status: 401 }])
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
  env: z
    .array(env)
    .max(16)
    .default([])
    .meta({
      description: 'Environment variables of the server that get the placeholder.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }),
  via,
  podSelector: labelSelector.meta({ ...labelSelector.meta(), description: 'The pods of this namespace whose calls carry the credential.' }),
  cacheTTLSeconds: z
    .int()
    .min(1)
    .max(60)
    .default(60)
    .meta({ description: 'How long a sidecar keeps the value before it asks the source again.' }),
  maxStaleSeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(300)
    .meta({ description: 'How long the last value serves through an outage of the source. 0 means not at all.' }),
  scrubResponses: z.boolean().optional().meta({
    description:
      'Replaces the value by the placeholder in the answers to calls that carried it: as it is, escaped for JSON, encoded for a URL, in base64. Off, unless given.',
  }),
  rotation: rotationSpec,
  rotationDueDays: z
    .int()
    .min(1)
    .max(3650)
    .optional()
    .meta({ description: 'How old a version may get before the condition RotationDue tells that it is time for a new one.' }),
  suspend: z.boolean().default(false).meta({ description: 'The kill switch: every sidecar drops the value and answers 503 Suspended.' }),
});
export const credentialSpec = withRules(fields, [...userRules, ...pinRules, ...viaRules, ...placeRules, ...allowRules, ...rotationRules]);
export type CredentialSpec = z.output<typeof credentialSpec>;

/** What the operator reports. */
export const credentialStatus = z.object({
  observedGeneration,
  version: z.string().max(64).optional().meta({ description: 'The version that the sidecars should use.' }),
  exact: z.boolean().optional().meta({
    description:
      'Whether sidecars read exactly version, and the newest only once the upstream has refused it: with a pin, a probe, canaries, after a rollback.',
  }),
  previousVersion: z.string().max(64).optional(),
  previousSource: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'What previousVersion is a version of, where that is another source.' }),
  place: z.string().max(2048).optional().meta({ description: 'Where the value lives, as a person writes it: kv/mcp/github.' }),
  source: z.string().max(64).optional().meta({
    description:
      'What version is a version of: a hash of the store and the reference. Another one makes the same version number another value.',
  }),
  pods: z
    .object({
      bound: z.int().min(0).meta({ description: 'Running pods that carry the credential.' }),
      current: z.int().min(0).meta({ description: 'Of these, the pods that use status.version.' }),
      failing: z.int().min(0).meta({ description: 'Of these, the pods that report a failure.' }),
      summary: z.string().max(32).meta({ description: 'current/bound, for kubectl get.' }),
    })
    .optional(),
  safeToRevoke: z.string().max(64).optional().meta({
    description: 'The version before, once no pod can use it any more: the provider may be told to revoke it. Taken back when a pod can.',
  }),
  rotatedAt: time.optional().meta({ description: 'When the version in use had reached every pod.' }),
  expiresAt: time.optional().meta({ description: 'When the version in use ends, where its source or the answers of the upstream say so.' }),
  account: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'A slow, salted fingerprint of rotation.probe.sameAccountField, as the last good version had it.' }),
  rotation: rotationStatus.optional(),
  rejected: z
    .array(rejectedEntry)
    .max(10)
    .optional()
    .meta({ description: 'Versions that were refused, and are not tried again until somebody asks.', 'x-kubernetes-list-type': 'atomic' }),
  history: z
    .array(historyEntry)
    .max(10)
    .optional()
    .meta({ description: 'The last ten rotations, newest first.', 'x-kubernetes-list-type': 'atomic' }),
  conditions: conditions.optional(),
});
export type CredentialStatus = z.output<typeof credentialStatus>;

export interface Credential {
  apiVersion?: string;
  kind?: string;
  metadata: {
    name: string;
    namespace: string;
    uid?: string;
    resourceVersion?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    annotations?: Record<string, string>;
  };
  spec: CredentialSpec;
  status?: CredentialStatus;
}

export type { AWSReference, CredentialSource, GCPReference, KubernetesReference, VaultReference } from './source.ts';
export type { Allowed } from './allow.ts';
export type { Place } from './place.ts';
export { placeholderOf, placeholders } from './placeholder.ts';
export type { HistoryEntry, Phase, Probe, RejectedEntry, RotationSpec, RotationStatus, Trigger } from './rotation.ts';
