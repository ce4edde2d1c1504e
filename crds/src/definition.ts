import { z } from 'zod';
import { bindingSpec, bindingStatus } from './binding.ts';
import { credentialSpec, credentialStatus } from './credential.ts';
import { group } from './names.ts';
import { unobserved } from './parts.ts';
import { storeSpec, storeStatus } from './store.ts';

export interface Column {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  priority?: number;
  description: string;
}

interface Definition {
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  scope: 'Namespaced' | 'Cluster';
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  columns: Column[];
}

const condition = (type: 'Ready' | 'Available', field: 'status' | 'reason'): string => `.status.conditions[?(@.type=="${type}")].${field}`;
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Since when it exists.' };

export const definitions: readonly Definition[] = [
  {
    kind: 'MCPCredential',
    plural: 'mcpcredentials',
    singular: 'mcpcredential',
    shortNames: ['mcpcred', 'mcpcreds'],
    scope: 'Namespaced',
    description: 'A credential of MCP servers: where its value lives, which calls carry it, and how far its rotation has come.',
    spec: credentialSpec,
    status: credentialStatus,
    columns: [
      // Not the condition Ready, which is absent at times.
      { name: 'Ready', type: 'string', jsonPath: condition('Available', 'status'), description: 'Whether real calls succeed with it.' },
      { name: 'Version', type: 'string', jsonPath: '.status.version', description: 'The version in use.' },
      {
        name: 'Pods',
        type: 'string',
        jsonPath: '.status.pods.summary',
        description: 'Pods that use this version, of all that carry the credential.',
      },
      { name: 'Rotated', type: 'date', jsonPath: '.status.rotatedAt', description: 'When this version had reached every pod.' },
      { name: 'Revocable', type: 'string', jsonPath: '.status.safeToRevoke', description: 'The version that no pod can use any more.' },
      { name: 'Expires', type: 'string', jsonPath: '.status.expiresAt', description: 'When this version ends, where that is known.' },
      { name: 'Reason', type: 'string', jsonPath: condition('Available', 'reason'), priority: 1, description: 'Why they do or not.' },
      { name: 'Source', type: 'string', jsonPath: '.status.place', priority: 1, description: 'Where the value lives.' },
      { name: 'Hosts', type: 'string', jsonPath: '.spec.hosts', priority: 1, description: 'The upstreams that get it.' },
      { name: 'Phase', type: 'string', jsonPath: '.status.rotation.phase', priority: 1, description: 'Where the rotation stands.' },
      age,
    ],
  },
  {
    kind: 'MCPCredentialStore',
    plural: 'mcpcredentialstores',
    singular: 'mcpcredentialstore',
    shortNames: ['mcpstore', 'mcpstores'],
    scope: 'Cluster',
    description: 'A vault that credentials are read from, and how sidecars and operator log in to it.',
    spec: storeSpec,
    status: storeStatus,
    columns: [
      {
        name: 'Ready',
        type: 'string',
        jsonPath: condition('Ready', 'status'),
        description: 'Whether the operator can log in and read metadata.',
      },
      { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason'), description: 'Why it is ready or not.' },
      { name: 'Place', type: 'string', jsonPath: '.status.place', description: 'Where it is.' },
      age,
    ],
  },
  {
    kind: 'MCPCredentialBinding',
    plural: 'mcpcredentialbindings',
    singular: 'mcpcredentialbinding',
    shortNames: ['mcpbind', 'mcpbinds'],
    scope: 'Namespaced',
    description:
      'One pod with a sidecar, and which version of each credential it uses. Made by the operator, owned by the pod, reported by the sidecar.',
    spec: bindingSpec,
    status: bindingStatus,
    columns: [
      { name: 'Versions', type: 'string', jsonPath: '.status.summary', description: 'Each credential with the version that the pod uses.' },
      { name: 'Service Account', type: 'string', jsonPath: '.spec.serviceAccount', priority: 1, description: 'The identity of the pod.' },
      { name: 'Node', type: 'string', jsonPath: '.spec.node', priority: 1, description: 'Where the pod runs.' },
      age,
    ],
  },
];

type Json = Record<string, unknown>;

function statusOf({ status }: Definition): Json {
  const schema = structural(status);
  const { properties } = schema as { properties: Json };
  return 'observedGeneration' in properties ? { ...schema, default: { observedGeneration: unobserved } } : schema;
}

/** A zod schema as a structural schema (KEP-2337 and the API server's own checks). */
export function structural(schema: z.ZodType): Json {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => correct(zodSchema, jsonSchema as Json),
  }) as Json;
  delete json.$schema;
  return json;
}

/** What zod writes and a structural schema may not hold. */
function correct(schema: z.core.$ZodTypes, json: Json): void {
  if (json.properties !== undefined || json.additionalProperties === false) delete json.additionalProperties;
  // The API server drops an empty one, and a tool that compares without asking it takes that for a drift.
  if (json.properties !== undefined && Object.keys(json.properties as Json).length === 0) delete json.properties;
  if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum;
  if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum;
  if (schema._zod.def.type === 'record') delete json.propertyNames;
  if (json.type === 'integer') json.format = 'int64';
  if (json.format === 'date-time') delete json.pattern;
}

/** The CustomResourceDefinition of one kind. */
export function customResourceDefinition(definition: Definition): Json {
  const { kind, plural, singular, shortNames, scope, description, columns } = definition;
  const openAPIV3Schema = {
    type: 'object',
    description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(definition.spec),
      status: statusOf(definition),
    },
  };
  const version = {
    name: 'v1alpha1',
    served: true,
    storage: true,
    subresources: { status: {} },
    additionalPrinterColumns: columns,
    schema: { openAPIV3Schema },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, annotations: { 'helm.sh/resource-policy': 'keep' } },
    spec: {
      group,
      scope,
      names: { kind, plural, singular, shortNames, listKind: `${kind}List`, categories: ['mcp'] },
      versions: [version],
    },
  };
}
