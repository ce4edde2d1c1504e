import { z } from 'zod';
import { conditions, labels, vaultMount } from './parts.ts';
import { exactlyOne, withRules } from './rule.ts';

const kubernetesAuth = z.object({
  mount: vaultMount.default('kubernetes').meta({ description: 'Where the Kubernetes auth method is mounted.' }),
  role: z.string().min(1).max(128).meta({ description: 'Role of the sidecars: reads values.' }),
  operatorRole: z
    .string()
    .min(1)
    .max(128)
    .default('rekey-operator')
    .meta({ description: 'Role of the operator: reads metadata, never a value.' }),
  audience: z
    .string()
    .min(1)
    .max(253)
    .default('vault')
    .meta({ description: 'Audience of the tokens that sidecars and operator log in with. The role must demand the same.' }),
});
const authMethods = { kubernetes: kubernetesAuth.optional() };

const vault = z.object({
  address: withRules(z.string().min(1).max(512), [
    {
      cel: `self.startsWith('https://')`,
      message: 'the address starts with https://: a token must not travel in clear',
      holds: (address) => address.startsWith('https://'),
    },
    {
      cel: `self.matches('^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?$')`,
      message: 'the address is https://host or https://host:port, without a path',
      holds: (address) => /^https:\/\/[A-Za-z0-9.-]+(:[0-9]{1,5})?$/u.test(address),
    },
  ]),
  caBundle: z
    .string()
    .max(65_536)
    .optional()
    .meta({ description: 'PEM certificates that the vault is verified with; the public roots unless given.' }),
  mount: vaultMount.default('kv').meta({ description: 'KV version 2 mount of credentials that name none.' }),
  auth: withRules(z.object(authMethods), [exactlyOne(Object.keys(authMethods), 'auth method')]),
});
export type VaultStore = z.output<typeof vault>;

const kinds = { vault: vault.optional() };

/** One vault in one place, for the whole cluster. */
export const storeSpec = withRules(
  z.object({
    ...kinds,
    pollIntervalSeconds: z
      .int()
      .min(1)
      .max(3600)
      .default(10)
      .meta({ description: 'How often the operator asks the source for new versions.' }),
    allowedNamespaces: z
      .object({ matchLabels: labels })
      .optional()
      .meta({ description: 'Labels of the namespaces whose credentials may use this store; every namespace unless given.' }),
  }),
  [exactlyOne(Object.keys(kinds), 'kind of store')],
);
export type StoreSpec = z.output<typeof storeSpec>;

export const storeStatus = z.object({ observedGeneration: z.int().min(0).optional(), conditions: conditions.optional() });
export type StoreStatus = z.output<typeof storeStatus>;

export interface Store {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; uid?: string; resourceVersion?: string; generation?: number };
  spec: StoreSpec;
  status?: StoreStatus;
}
