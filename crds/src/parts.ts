import { z } from 'zod';
import type { Rule } from './rule.ts';
import { withRules } from './rule.ts';

/** A DNS-1123 subdomain: the name of an object. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);

export const labels = z.record(z.string().max(317), z.string().max(63)).meta({ maxProperties: 32 });

const labelExpression = z.object({
  key: z.string().min(1).max(317),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: z.array(z.string().max(63)).max(64).optional(),
});

const notEmpty: Rule<{ matchLabels?: Record<string, string> | undefined; matchExpressions?: unknown[] | undefined }> = {
  cel: '(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)',
  message: 'an empty selector would select every pod: name at least one label, such as matchLabels: {app: mcp-github}',
  holds: ({ matchLabels, matchExpressions }) => Object.keys(matchLabels ?? {}).length > 0 || (matchExpressions ?? []).length > 0,
};

export const labelSelector = withRules(
  z.object({ matchLabels: labels.optional(), matchExpressions: z.array(labelExpression).max(16).optional() }),
  [notEmpty],
);
export type LabelSelector = z.output<typeof labelSelector>;

/**
 * The `status.observedGeneration` of an object that the operator has not looked at yet: no generation is this one, so that what waits by
 * kstatus' rules (such as Flux) does not take a status that says nothing for a good one.
 */
export const unobserved = -1;

export const observedGeneration = z.int().min(unobserved).optional();

/** Kubernetes' meta/v1 Condition, bounded as there. */
export const condition = z.object({
  type: z.string().max(316),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().min(0).optional(),
  lastTransitionTime: z.iso.datetime().meta({ format: 'date-time' }),
  reason: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/),
  message: z.string().max(32_768),
});
export type Condition = z.output<typeof condition>;

export const conditions = z
  .array(condition)
  .max(16)
  .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] });

/** RFC 3339 time in UTC. */
export const time = z.iso.datetime().meta({ format: 'date-time' });

/** A path below a KV mount. Its rules keep it from leaving its own place in the vault. */
export const vaultPath = withRules(
  z.string().min(1).max(512).meta({ description: 'Path of the secret below the KV mount, as in `vault kv get -mount=kv PATH`.' }),
  [
    {
      cel: `!self.startsWith('/') && !self.endsWith('/')`,
      message: 'a path starts and ends without a slash: mcp/github',
      holds: (path) => !path.startsWith('/') && !path.endsWith('/'),
    },
    {
      cel: `!self.startsWith('data/') && !self.startsWith('metadata/')`,
      message: 'leave out data/ and metadata/: write the path as `vault kv get` takes it',
      holds: (path) => !/^(meta)?data\//u.test(path),
    },
    {
      cel: `self.matches('^[A-Za-z0-9._~/-]+$')`,
      message: 'a path holds letters, digits and . _ ~ - / only',
      holds: (path) => /^[A-Za-z0-9._~/-]+$/u.test(path),
    },
    {
      cel: `!self.split('/').exists(part, part == '' || part == '.' || part == '..')`,
      message: 'a path has no empty part, no . and no ..',
      holds: (path) => !path.split('/').some((part) => part === '' || part === '.' || part === '..'),
    },
  ],
);

/** A mount of a secrets engine or auth method. */
export const vaultMount = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9_-]+([/][A-Za-z0-9_-]+)*$/);
