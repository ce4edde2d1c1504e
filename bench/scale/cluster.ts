import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { startApiServer } from '../../operator/src/controller/api-server.real.ts';
import type { RealApiServer } from '../../operator/src/controller/api-server.real.ts';
import { builtProgram, temporaryFolder } from '@rekey/lib/process.real.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import type { RealVault } from '@rekey/lib/vault.real.ts';
import { trustTokens } from '../../operator/src/poll/vault.real.ts';
import { startKwok } from './kwok.ts';

/** What the operator is put into: a real API server with all that the chart installs, a real vault, and nodes that kwok plays. */
export interface Cluster {
  api: RealApiServer;
  vault: RealVault;
  /** One line of JSON for each call of the operator (Event, audit.k8s.io/v1). */
  auditLog: string;
  /** The operator's environment, as the chart's Deployment has it. */
  environment: Record<string, string>;
  stop: () => Promise<void>;
}

export const namespace = 'rekey';
export const operatorName = 'rekey-operator';
const operatorUser = `system:serviceaccount:${namespace}:${operatorName}`;

/** Metadata of what the operator asks; a watch when it begins, all else when it is answered. */
const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', users: [operatorUser] }, { level: 'None' }],
};

/** What asks an etcd for the progress of its watches that older ones, such as Debian's 3.4, do not tell; lists then wait for it in vain. */
const featureGates = 'SizeBasedListCostEstimate=false,ListFromCacheSnapshot=false,DetectCacheInconsistency=false';

export async function startCluster(): Promise<Cluster> {
  const folder = temporaryFolder('scale');
  const auditLog = join(folder, 'audit.log');
  writeFileSync(join(folder, 'audit.json'), JSON.stringify(auditPolicy));
  const flags = {
    'audit-policy-file': join(folder, 'audit.json'),
    'audit-log-path': auditLog,
    'audit-log-maxsize': '1000',
    'feature-gates': featureGates,
  };
  const [api, vault] = await Promise.all([startApiServer(flags), startVault()]);
  const policy = 'path "kv/metadata/*" { capabilities = ["read"] }';
  await vault.call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await trustTokens(vault, api.publicKey, { name: operatorName, subject: operatorUser, policy });
  const webhookPort = await freePort();
  const environment = { ...(await install(api, vault, webhookPort)), REKEY_WEBHOOK_PORT: String(webhookPort) };
  const kwok = await startKwok(api);
  const stop = async (): Promise<void> => {
    await kwok.stop();
    await Promise.all([api.stop(), vault.stop()]);
  };
  return { api, vault, auditLog, environment, stop };
}

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  webhooks?: { clientConfig: { service?: { port: number } } }[];
  spec?: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
}

/** Nobody runs what these ask for. */
const played = new Set(['CustomResourceDefinition', 'Deployment', 'PodDisruptionBudget', 'Service']);

/** All that the chart makes but the operator's pods. The API server finds the webhook by a Service whose name leads to this machine. */
async function install({ admin }: RealApiServer, vault: RealVault, webhookPort: number): Promise<Record<string, string>> {
  const chart = new URL('../../charts/rekey', import.meta.url).pathname;
  const values = { vault: { address: vault.address, caBundle: vault.caBundle } };
  const options = ['--namespace', namespace, '--kube-version', '1.34.0', '--values', '-'];
  const text = execFileSync(builtProgram('helm'), ['template', 'rekey', chart, ...options], {
    input: JSON.stringify(values),
    encoding: 'utf8',
  });
  const manifests = parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
  await admin.apply(`/api/v1/namespaces/${namespace}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await admin.apply(`/api/v1/namespaces/${namespace}/services/${operatorName}`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: operatorName, namespace },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  });
  for (const manifest of manifests) {
    if (played.has(manifest.kind)) continue;
    for (const { clientConfig } of manifest.webhooks ?? []) if (clientConfig.service) clientConfig.service.port = webhookPort;
    await admin.apply(pathOf(manifest), manifest);
  }
  const deployment = manifests.find(({ kind }) => kind === 'Deployment');
  const variables = deployment?.spec?.template.spec.containers[0]?.env ?? [];
  return Object.fromEntries(variables.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}

function pathOf({ apiVersion, kind, metadata }: Manifest): string {
  const plural = kind.toLowerCase().replace(/y$/u, 'ie');
  const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
  return `/${apiVersion.includes('/') ? 'apis' : 'api'}/${apiVersion}${scope}/${plural}s/${metadata.name}`;
}
