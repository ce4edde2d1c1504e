import { refreshAnnotation } from '@rekey/crds/names.ts';
import { apply, kubectl } from '../lib/kube.ts';
import { condition, credentials } from '../lib/credential.ts';
import { until } from '../lib/run.ts';
import { sourceLabel } from '../lib/sources.ts';
import type { Vault } from '../lib/vault.ts';
import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import { credentialObject, namespace, serverObjects } from '../servers/objects.ts';
import type { KubernetesObject } from '../servers/objects.ts';

/** Where the keys of the fleet live, and what a person does to rotate all of them. */
export interface Placement {
  name: 'environment' | 'gateway' | 'vault';
  title: string;
  /** What a person types for all eleven servers, in order. */
  steps: readonly string[];
  objects: (server: Server) => object[];
  /** Writes all the keys; `first` is the set-up, before anything runs. */
  rotate: (keys: ReadonlyMap<string, string>, first: boolean) => Promise<void>;
  /** Looks how it is now; what it resolves with ends when a person can see that every server has newer keys. */
  watch: () => Promise<() => Promise<unknown>>;
}

const secret = 'fleet-keys';

async function writeSecret(keys: ReadonlyMap<string, string>): Promise<void> {
  const metadata = { name: secret, namespace, labels: { [sourceLabel]: 'true' } };
  await apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: Object.fromEntries(keys) }]);
}

/** The keys in the environment, as the servers' documentation says; what External Secrets with a reloading controller ends in. */
export function environment(publicCa: string): Placement {
  return {
    name: 'environment',
    title: 'environment variables, rolling restart',
    steps: ['kubectl apply -f fleet-keys.yaml', 'kubectl -n tools rollout restart deployment'],
    objects: (server) => [publicTrust(publicCa), ...serverObjects(server).map((object) => withOwnKey(object, server))],
    rotate: async (keys, first) => {
      await writeSecret(keys);
      if (!first) await kubectl('-n', namespace, 'rollout', 'restart', 'deployment');
    },
    watch: () => Promise.resolve(rolledOut),
  };
}

/** One config outside the servers: a Kubernetes Secret that Rekey puts into their calls. */
export const gateway: Placement = {
  name: 'gateway',
  title: 'one gateway config: a Kubernetes Secret behind Rekey',
  steps: ['kubectl apply -f fleet-keys.yaml', `kubectl -n tools annotate mcpcred --all --overwrite ${refreshAnnotation}=$(date +%s)`],
  objects: (server) => [
    credentialObject(server, { source: { kubernetesSecret: { name: secret, key: server.name } } }),
    ...serverObjects(server),
  ],
  rotate: async (keys, first) => {
    await writeSecret(keys);
    if (!first) await kubectl('-n', namespace, 'annotate', 'mcpcred', '--all', '--overwrite', `${refreshAnnotation}=${Date.now()}`);
  },
  watch: propagation,
};

const path = 'mcp/fleet';

/** The value is fetched from the vault when a call is made. */
export function atCallTime(vault: Vault): Placement {
  return {
    name: 'vault',
    title: 'the vault at call time: Rekey',
    steps: [`vault kv put kv/${path} @fleet-keys.json`],
    objects: (server) => [credentialObject(server, { source: { vault: { path, key: server.name } } }), ...serverObjects(server)],
    rotate: async (keys) => void (await vault.write(path, Object.fromEntries(keys))),
    watch: propagation,
  };
}

async function rolledOut(): Promise<void> {
  for (const { name } of fleet) await kubectl('-n', namespace, 'rollout', 'status', `deployment/mcp-${name}`, '--timeout=600s');
}

/** The condition Propagated of each credential, on another version than it is at now. */
async function propagation(): Promise<() => Promise<unknown>> {
  const before = new Map((await credentials()).map(({ metadata, status }) => [metadata.name, status?.version]));
  return () =>
    until('every credential is propagated, on another version', 300, async () => {
      const all = await credentials();
      const done = all.filter(
        (one) => condition(one, 'Propagated')?.status === 'True' && one.status?.version !== before.get(one.metadata.name),
      );
      return done.length === all.length ? true : undefined;
    });
}

function publicTrust(ca: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'public-ca', namespace }, data: { 'ca.pem': ca } };
}

interface Template {
  spec: { template: { metadata: { labels: Record<string, string> }; spec: PodSpec } };
}
interface PodSpec {
  containers: { env: object[]; volumeMounts: object[] }[];
  volumes: object[];
}

/** The same server without Rekey: its key from the Secret, the test's roots from a volume. */
function withOwnKey(object: KubernetesObject, server: Server): object {
  if (object.kind !== 'Deployment') return object;
  const changed = structuredClone(object) as KubernetesObject & Template;
  const { metadata, spec } = changed.spec.template;
  metadata.labels = { app: metadata.labels['app'] ?? '', 'rekey.dev/inject': 'false' };
  spec.volumes.push({ name: 'public-ca', configMap: { name: 'public-ca' } });
  for (const container of spec.containers) {
    container.volumeMounts.push({ name: 'public-ca', mountPath: '/public-ca', readOnly: true });
    container.env = [
      ...Object.entries(server.env).map(([name, value]) => ({ name, value })),
      { name: server.credential, valueFrom: { secretKeyRef: { name: secret, key: server.name } } },
      { name: 'NODE_EXTRA_CA_CERTS', value: '/public-ca/ca.pem' },
    ];
  }
  return changed;
}
