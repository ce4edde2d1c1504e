import { execFileSync } from 'node:child_process';
import type { Binding, Use } from '@rekey/crds/binding.ts';
import type { Credential, CredentialSpec } from '@rekey/crds/credential.ts';
import { apiPath, apiVersion, injectedLabel, snapshotAnnotation } from '@rekey/crds/names.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { parseAllDocuments } from 'yaml';
import type { Kubernetes } from '../kubernetes.ts';
import { builtProgram, until } from '@rekey/lib/process.real.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import type { RealVault } from '@rekey/lib/vault.real.ts';
import { trustTokens } from '../poll/vault.real.ts';
import { findCondition } from '../status.ts';
import { startApiServer } from './api-server.real.ts';

/** A real API server and a real vault, with the chart's own roles and namespaces `rekey` and `tools`. */
export interface World {
  admin: Kubernetes;
  /** With the rights of the chart's ClusterRole, and no others. */
  operator: Kubernetes;
  /** The same for a process. */
  operatorKubeconfig: string;
  /** A pod of namespace tools. */
  sidecar: Kubernetes;
  vault: RealVault;
  remove: (path: string) => Promise<void>;
  stop: () => Promise<void>;
}

const operatorAccount = 'rekey-operator';

/** With rights in `namespaces` alone, where some are named: as the chart's value of that name. */
export async function startWorld(namespaces: readonly string[] = []): Promise<World> {
  const [api, vault] = await Promise.all([startApiServer(), startVault()]);
  const { admin } = api;
  for (const namespace of ['rekey', 'tools']) {
    await admin.apply(`/api/v1/namespaces/${namespace}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    for (const name of [operatorAccount, 'default']) {
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
      await admin.apply(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`, account);
    }
  }
  for (const object of [...chartRoles('operator.yaml', namespaces), ...chartRoles('sidecar.yaml', namespaces)])
    await admin.apply(pathOf(object), object);
  await vault.call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  const subject = `system:serviceaccount:rekey:${operatorAccount}`;
  await trustTokens(vault, api.publicKey, { name: operatorAccount, subject, policy: 'path "kv/metadata/*" { capabilities = ["read"] }' });
  const token = await tokenOf(admin, 'rekey', operatorAccount);
  return {
    admin,
    operator: api.as(token),
    operatorKubeconfig: api.kubeconfig(token),
    sidecar: api.as(await tokenOf(admin, 'tools', 'default')),
    vault,
    remove: api.remove,
    stop: async () => {
      await Promise.all([api.stop(), vault.stop()]);
    },
  };
}

async function tokenOf(admin: Kubernetes, namespace: string, name: string): Promise<string> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
  return (await admin.create<{ metadata: { name: string }; status: { token: string } }>(path, request)).status.token;
}

interface Role extends KubernetesObject {
  kind: string;
}

/** The roles of one file of the chart, in namespace rekey. */
function chartRoles(file: string, namespaces: readonly string[]): Role[] {
  const chart = new URL('../../../charts/rekey', import.meta.url).pathname;
  const options = ['--namespace', 'rekey', '--kube-version', '1.34.0', '--show-only', `templates/rbac/${file}`, '--values', '-'];
  const text = execFileSync(builtProgram('helm'), ['template', 'rekey', chart, ...options], {
    input: JSON.stringify({ namespaces }),
    encoding: 'utf8',
  });
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Role | null) ?? []);
}

function pathOf({ kind, metadata: { namespace, name } }: Role): string {
  const scope = namespace === undefined ? '' : `/namespaces/${namespace}`;
  return `/apis/rbac.authorization.k8s.io/v1${scope}/${kind.toLowerCase()}s/${name}`;
}

const tools = `${apiPath}/namespaces/tools`;

/** What people and other parts do in namespace tools, and what they see there. */
export function inTools({ admin, sidecar, vault }: World) {
  const credential = async (name: string): Promise<Credential> =>
    (await admin.read<Credential>(`${tools}/mcpcredentials/${name}`)) as Credential;
  return {
    credential,
    allCredentials: async (): Promise<Credential[]> => (await admin.read<Credentials>(`${tools}/mcpcredentials`))?.items ?? [],
    binding: (pod: string) => admin.read<Binding>(`${tools}/mcpcredentialbindings/${pod}`),
    createCredential: (name: string, spec: object = {}) =>
      admin.create(`${tools}/mcpcredentials`, {
        apiVersion,
        kind: 'MCPCredential',
        metadata: { name },
        spec: { ...goodSpec, source: { vault: { path: `mcp/${name}`, key: 'token' } }, ...selector(name), ...spec },
      }),
    annotate: (name: string, annotations: Record<string, string>) =>
      admin.patch(`${tools}/mcpcredentials/${name}`, { metadata: { annotations } }),
    pod: (name: string) =>
      admin.read<KubernetesObject & { metadata: { annotations?: Record<string, string> } }>(`/api/v1/namespaces/tools/pods/${name}`),
    edit: (name: string, spec: object) => admin.patch(`${tools}/mcpcredentials/${name}`, { spec }),
    write: (name: string) => vault.call('POST', `kv/data/mcp/${name}`, { data: { token: 'canary' } }),
    /** Waits until condition `type` says `status reason`. */
    says: (name: string, type: string, text: string) =>
      until(async () => {
        const condition = findCondition((await credential(name)).status?.conditions, type);
        return `${condition?.status} ${condition?.reason}` === text ? condition : undefined;
      }),
    createPod: async (name: string, app: string, injected = true, env: object[] = []) =>
      createPod(admin, name, { app, injected, env, spec: (await credential(app)).spec }),
    /** As the sidecar writes it: server-side apply to the status alone, with the source that it read. */
    report: async (pod: string, use: Partial<Use> & { name: string }) => {
      const { spec } = await credential(use.name);
      const store = hasStore(spec.source) ? await admin.read<Store>(`${apiPath}/mcpcredentialstores/${spec.storeRef.name}`) : undefined;
      const source = store === undefined && hasStore(spec.source) ? {} : { source: sourceId(spec, store?.spec) };
      return sidecar.apply(`${tools}/mcpcredentialbindings/${pod}/status`, {
        apiVersion,
        kind: 'MCPCredentialBinding',
        metadata: { name: pod, namespace: 'tools' },
        status: { credentials: [{ since: new Date().toISOString(), ...source, ...use }] },
      });
    },
    events: async (name: string): Promise<string[]> => {
      const query = new URLSearchParams({ fieldSelector: `involvedObject.name=${name}` });
      const list = await admin.read<Events>(`/api/v1/namespaces/tools/events?${query.toString()}`);
      return (list?.items ?? []).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
    },
  };
}

interface Credentials extends KubernetesObject {
  items: Credential[];
}

interface Events extends KubernetesObject {
  items: { type: string; reason: string; message: string }[];
}

const selector = (app: string): object => ({ podSelector: { matchLabels: { app } } });

interface NewPod {
  app: string;
  injected: boolean;
  env: object[];
  spec: CredentialSpec;
}

/** A running pod of Deployment APP, as the webhook leaves it when it is injected. */
async function createPod(admin: Kubernetes, name: string, { app, injected, env, spec: { source, storeRef } }: NewPod): Promise<void> {
  const store = await admin.read<Store>(`${apiPath}/mcpcredentialstores/${storeRef.name}`);
  const snapshot = JSON.stringify({
    credentials: [{ name: app, spec: { source, hosts: goodSpec.hosts, env: goodSpec.env, storeRef } }],
    stores: store === undefined ? [] : [{ name: storeRef.name, spec: store.spec }],
  });
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-abc12`, uid: '1', controller: true };
  await admin.create('/api/v1/namespaces/tools/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      labels: { app, 'pod-template-hash': 'abc12', ...(injected ? { [injectedLabel]: 'true' } : {}) },
      annotations: injected ? { [snapshotAnnotation]: snapshot } : {},
      ownerReferences: [owner],
    },
    spec: { nodeName: 'node1', containers: [{ name: 'server', image: 'server:1', env }] },
  });
  await admin.patch(`/api/v1/namespaces/tools/pods/${name}/status`, { status: { phase: 'Running' } });
}
