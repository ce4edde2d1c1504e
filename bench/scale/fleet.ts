import { apiPath, apiVersion, injectionLabel } from '@rekey/crds/names.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { KubernetesError } from '../../operator/src/kubernetes.ts';
import { until } from '@rekey/lib/process.real.ts';
import type { Cluster } from './cluster.ts';

/** One namespace: the worst case for whatever looks at all pods or credentials of a namespace. */
export const tools = 'tools';
/** Every pod has `shared`, and one of the others. */
export const shared = 'shared';
const credentialCount = 100;
export const others = Array.from({ length: credentialCount - 1 }, (_, n) => `own-${n}`);
const podsPerNode = 100;
/** At a time: what a busy cluster's controllers create. */
const atOnce = 16;

export async function createCredentials({ api: { admin }, vault }: Cluster): Promise<void> {
  const labels = { [injectionLabel]: 'enabled' };
  await admin.apply(`/api/v1/namespaces/${tools}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: tools, labels } });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: tools } };
  await admin.apply(`/api/v1/namespaces/${tools}/serviceaccounts/default`, account);
  for (const name of [shared, ...others]) {
    await writeSecret(vault, name);
    await admin.create(`${apiPath}/namespaces/${tools}/mcpcredentials`, credential(name));
  }
}

/** Until every credential has its version. A pod of before the default store would have a snapshot without it, and its sidecar would learn of the store by a watch, which is not played. */
export async function knownVersions({ api: { admin } }: Cluster): Promise<void> {
  await until(async () => {
    const list = await admin.read<Credentials>(`${apiPath}/namespaces/${tools}/mcpcredentials`);
    return list?.items.every(({ status }) => status?.version !== undefined) === true ? true : undefined;
  });
}

interface Credentials {
  metadata: { name: string };
  items: { status?: { version?: string } }[];
}

export async function writeSecret(vault: Cluster['vault'], name: string): Promise<string> {
  const { version } = await vault.call('POST', `kv/data/mcp/${name}`, { data: { token: 'no real one' } });
  return String(version);
}

function credential(name: string): object {
  return {
    apiVersion,
    kind: 'MCPCredential',
    metadata: { name },
    spec: {
      source: { vault: { path: `mcp/${name}`, key: 'token' } },
      hosts: [`${name}.example.com`],
      inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
      env: [{ name: `${name.toUpperCase().replace('-', '_')}_TOKEN` }],
      podSelector: { matchLabels: name === shared ? { app: 'mcp' } : { app: 'mcp', own: name } },
    },
  };
}

/** Pods `from` up to `to`, on nodes of their own. */
export async function createPods({ api: { admin } }: Cluster, { from, to }: { from: number; to: number }): Promise<void> {
  for (let node = Math.ceil(from / podsPerNode); node * podsPerNode < to; node += 1) await createNode(admin, node);
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) await createPod(admin, next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** As often as it takes, as a ReplicaSet does: on a machine that is busy the webhook may not answer in time. */
async function createPod(admin: Cluster['api']['admin'], number: number): Promise<void> {
  try {
    await admin.create(`/api/v1/namespaces/${tools}/pods`, pod(number));
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status === 422) throw error;
    if (error.status === 409) return;
    await pause(1000);
    await createPod(admin, number);
  }
}

export function pod(number: number): object {
  const own = others[number % others.length] ?? '';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `mcp-${number}`, labels: { app: 'mcp', own } },
    spec: {
      serviceAccountName: 'default',
      nodeName: `node-${Math.floor(number / podsPerNode)}`,
      containers: [{ name: 'server', image: 'registry.example.com/mcp-server:1' }],
    },
  };
}

async function createNode(admin: Cluster['api']['admin'], number: number): Promise<void> {
  const name = `node-${number}`;
  const metadata = { name, annotations: { 'kwok.x-k8s.io/node': 'fake' }, labels: { 'kubernetes.io/hostname': name } };
  await admin.create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata });
}
