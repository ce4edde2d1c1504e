import { z } from 'zod';
import { objectName, time } from './parts.ts';

/** What the operator writes: which pod carries which credentials. */
export const bindingSpec = z.object({
  podUID: z.string().max(64),
  serviceAccount: z.string().max(253),
  node: z.string().max(253).optional(),
  credentials: z.array(objectName).max(64).meta({ 'x-kubernetes-list-type': 'set' }),
});
export type BindingSpec = z.output<typeof bindingSpec>;

/** What one sidecar found out about a version that no other pod has yet. */
const probeResult = z.object({
  version: z.string().max(64),
  startedAt: time.meta({ description: 'status.rotation.startedAt of the rotation that asked.' }),
  outcome: z
    .enum(['Accepted', 'Refused', 'Failed'])
    .meta({ description: 'Failed: nothing was learned of the version; the sidecar tries again.' }),
  status: z.int().min(100).max(999).optional().meta({ description: 'The status that the upstream answered.' }),
  account: z.string().max(64).optional().meta({ description: 'Fingerprint of whose credential it is.' }),
  currentAccount: z.string().max(64).optional().meta({ description: 'The same of the version in use, where the operator knew none.' }),
  reason: z.string().max(64).optional(),
  message: z.string().max(1024).optional(),
});
export type ProbeResult = z.output<typeof probeResult>;

const use = z.object({
  name: objectName.meta({ description: 'The MCPCredential.' }),
  version: z.string().max(64).optional().meta({ description: 'The version that the next call of this pod carries.' }),
  source: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'What the versions are versions of, as status.source of the MCPCredential says it; no part of the value.' }),
  createdAt: time.optional().meta({
    description:
      'When this version was written, where the source says so; of a Kubernetes Secret when the volume of the pod got it, of a KV version 1 engine when the pod first read it.',
  }),
  acceptedVersion: z.string().max(64).optional().meta({ description: 'The last version that the upstream answered without refusing it.' }),
  holds: z.array(z.string().max(64)).max(16).optional().meta({
    description: 'Other versions that calls of this pod may still carry: they are under way, or may fall back to it.',
    'x-kubernetes-list-type': 'set',
  }),
  expiresAt: time.optional().meta({ description: 'When the version ends, where the source or the upstream says so.' }),
  probe: probeResult.optional().meta({ description: 'What the pod found out about the version that the operator asked it to try.' }),
  reason: z.string().max(64).optional().meta({ description: 'Why the credential does not work in this pod; empty when it does.' }),
  message: z.string().max(1024).optional(),
  since: time.meta({ description: 'When this entry last changed.' }),
});
export type Use = z.output<typeof use>;

/** What the sidecar writes, and only when it changes. */
export const bindingStatus = z.object({
  credentials: z
    .array(use)
    .max(64)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  summary: z.string().max(256).optional().meta({ description: 'Each credential with its version, for kubectl get.' }),
});
export type BindingStatus = z.output<typeof bindingStatus>;

export interface Binding {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; namespace: string; uid?: string; resourceVersion?: string; ownerReferences?: object[] };
  spec: BindingSpec;
  status?: BindingStatus;
}
