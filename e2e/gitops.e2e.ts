import { join } from 'node:path';
import { credential } from './lib/credential.ts';
import { kubeconfig, kubectl, kubectlPath, list } from './lib/kube.ts';
import { home, run } from './lib/run.ts';
import type { Stack } from './lib/stack.ts';
import { calls, endSpace, github, rotate, server, settled, startSpace } from './lib/workload.ts';

// What a GitOps tool owns stays as the repository has it. docs/interoperation.md says what is seen here.

const space = 'e2e-gitops';
let stack: Stack;

/** How each tool applies: Flux on the server's side, Argo CD on the client's unless told otherwise. */
const tools = {
  Flux: ['--server-side', '--field-manager=kustomize-controller'],
  'Argo CD': ['--field-manager=argocd-controller'],
  'Argo CD with ServerSideApply=true': ['--server-side', '--field-manager=argocd-controller'],
} as const;
type Tool = keyof typeof tools;
const appOf: Record<Tool, string> = { Flux: 'flux', 'Argo CD': 'argo', 'Argo CD with ServerSideApply=true': 'argo-server-side' };

beforeAll(async () => {
  stack = await startSpace(space);
}, 240_000);

afterAll(() => endSpace(space));

async function repository(app: string): Promise<object[]> {
  const service = { selector: { app }, ports: [{ port: 8000, protocol: 'TCP' }] };
  return [
    github(space, app),
    await server(space, 'Deployment', app),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: app, namespace: space }, spec: service },
  ];
}

/** `diff` rejects with the difference when there is one, or when somebody else owns a field of the manifests with another value. */
function kubectlAs(tool: Tool, verb: 'apply' | 'diff', manifests: readonly object[]): Promise<string> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests });
  return run(kubectlPath, [verb, ...tools[tool], '-f', '-'], { env: { KUBECONFIG: kubeconfig }, input });
}

test.each(Object.keys(tools) as Tool[])(
  '%s sees no drift after an injection and a rotation',
  async (tool) => {
    const app = appOf[tool];
    const manifests = await repository(app);
    await kubectlAs(tool, 'apply', manifests);
    await calls(space, app, 2);
    await settled(space, app, await rotate(stack, space));
    expect(await kubectlAs(tool, 'diff', manifests)).toBe('');
    const [first, ...others] = manifests as { spec: object }[];
    const changed = { ...first, spec: { ...first?.spec, cacheTTLSeconds: 30 } };
    await expect(kubectlAs(tool, 'diff', [changed, ...others])).rejects.toThrow('cacheTTLSeconds');
  },
  240_000,
);

test('a pipeline waits with kubectl until every pod uses the new key', async () => {
  const version = await rotate(stack, space);
  const waits = [`jsonpath={.status.version}=${version}`, 'condition=Propagated'];
  for (const wait of waits) await kubectl('-n', space, 'wait', `--for=${wait}`, 'mcpcred/flux', '--timeout=60s');
  expect((await credential('flux', space)).status).toMatchObject({ version, pods: { bound: 2, current: 2 } });
}, 150_000);

interface Owned {
  kind: string;
  metadata: { name: string; generation?: number; labels?: object; managedFields?: { manager: string; subresource?: string }[] };
}

test('Rekey writes statuses, bindings and one RoleBinding, and nothing that others made', async () => {
  const workloads = 'deployments,replicasets,services,serviceaccounts,configmaps,secrets';
  const ours = 'mcpcredentials,mcpcredentialbindings,rolebindings';
  const objects = await list<Owned>(`${workloads},${ours}`, '-n', space, '--show-managed-fields');
  const written = objects.flatMap(({ kind, metadata: { managedFields = [] } }) =>
    managedFields
      .filter(({ manager }) => manager.startsWith('rekey'))
      .map(({ manager, subresource = '' }) => `${manager} ${kind} ${subresource}`.trim()),
  );
  expect([...new Set(written)].sort()).toEqual([
    'rekey-operator MCPCredential status',
    'rekey-operator MCPCredentialBinding',
    'rekey-operator RoleBinding',
    'rekey-sidecar MCPCredentialBinding status',
  ]);
  const credentials = objects.filter(({ kind }) => kind === 'MCPCredential');
  expect(new Set(credentials.map(({ metadata }) => metadata.generation))).toEqual(new Set([1]));
  // Argo CD takes what carries its label for a part of an application, and prunes what the repository does not have.
  const made = objects.filter(({ kind }) => kind === 'RoleBinding' || kind === 'MCPCredentialBinding');
  expect(made.length).toBeGreaterThan(2);
  expect(made.filter(({ metadata }) => metadata.labels !== undefined)).toEqual([]);
}, 60_000);

test('the chart’s own objects are as the chart says, though the operator has written a CA into its webhook configuration', async () => {
  const env = { KUBECONFIG: kubeconfig };
  const input = await run(join(home, 'bin/helm'), ['get', 'manifest', 'rekey', '-n', 'rekey-system'], { env });
  expect(input).toContain('kind: MutatingWebhookConfiguration');
  expect(await run(kubectlPath, ['diff', '-f', '-'], { env, input })).toBe('');
}, 60_000);
