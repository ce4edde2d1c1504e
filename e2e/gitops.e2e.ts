import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { credential } from './lib/credential.ts';
import { get, kubeconfig, kubectl, list } from './lib/kube.ts';
import type { Thing } from './lib/kube.ts';
import { home, run, until } from './lib/run.ts';
import type { Stack } from './lib/stack.ts';
import { startArgo } from './gitops/argo.ts';
import { startFlux } from './gitops/flux.ts';
import type { Tool } from './gitops/tool.ts';
import { calls, endSpace, github, rotate, server, settled, startSpace } from './lib/workload.ts';

// What a GitOps tool owns stays as the repository has it. docs/interoperation.md says what is seen here.

const space = 'e2e-gitops';
const apps = { flux: 'Flux', argo: 'Argo CD', 'argo-server-side': 'Argo CD with server-side apply and diff' } as const;
type App = keyof typeof apps;

let stack: Stack;
let tools: Record<App, Tool>;
const endings = new AsyncDisposableStack();

beforeAll(async () => {
  endings.defer(async () => void (await endSpace(space)));
  stack = await startSpace(space);
  const [argo, flux] = [await startArgo(endings), await startFlux(endings)];
  const server = { syncOptions: ['ServerSideApply=true'], annotations: { 'argocd.argoproj.io/compare-options': 'ServerSideDiff=true' } };
  tools = { flux, argo: argo(), 'argo-server-side': argo(server) };
}, 240_000);

afterAll(() => endings.disposeAsync(), 300_000);

async function repository(app: App): Promise<object[]> {
  const service = { selector: { app }, ports: [{ port: 8000, protocol: 'TCP' }] };
  return [
    github(space, app),
    await server(space, 'Deployment', app),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: app, namespace: space }, spec: service },
  ];
}

test.each(Object.entries(apps) as [App, string][])(
  '%s: %s brings server and credential in, and sees no drift after an injection and a rotation',
  async (app) => {
    await tools[app].apply(app, space, await repository(app));
    await calls(space, app, 2);
    await settled(space, app, await rotate(stack, space));
    expect(await tools[app].drifted(app)).toEqual([]);
    expect((await credential(app, space)).metadata.generation).toBe(1);
    // It would have seen one.
    await kubectl('-n', space, 'patch', 'mcpcred', app, '--type=merge', '-p', '{"spec":{"hosts":["api.github.example"]}}');
    // Argo CD compares with what its own watch has told it by then.
    const drifted = await until(`${app} has drifted`, 30, async () => {
      const objects = await tools[app].drifted(app);
      return objects.length > 0 ? objects : undefined;
    });
    expect(drifted).toEqual([`MCPCredential/${app}`]);
  },
  300_000,
);

test('a pipeline waits with kubectl until every pod uses the new key', async () => {
  const version = await rotate(stack, space);
  const waits = [`jsonpath={.status.version}=${version}`, 'condition=Propagated'];
  for (const wait of waits) await kubectl('-n', space, 'wait', `--for=${wait}`, 'mcpcred/flux', '--timeout=60s');
  expect((await credential('flux', space)).status).toMatchObject({ version, pods: { bound: 2, current: 2 } });
}, 150_000);

interface Owned {
  kind: string;
  metadata: { name: string; labels?: object; managedFields?: { manager: string; subresource?: string }[] };
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
  // Argo CD takes what carries its label for a part of an application, and prunes what the repository does not have.
  const made = objects.filter(({ kind }) => kind === 'RoleBinding' || kind === 'MCPCredentialBinding');
  expect(made.length).toBeGreaterThan(2);
  expect(made.filter(({ metadata }) => metadata.labels !== undefined)).toEqual([]);
}, 60_000);

const webhook = 'rekey-operator';
const timeout = [{ op: 'replace', path: '/webhooks/0/timeoutSeconds', value: 9 }];

/** The chart as it is installed, which no tool takes away with itself. */
async function chart(): Promise<object[]> {
  const said = await run(join(home, 'bin/helm'), ['get', 'manifest', 'rekey', '-n', 'rekey-system'], { env: { KUBECONFIG: kubeconfig } });
  const objects = parseAllDocuments(said).map((document) => document.toJS() as Thing | null);
  return objects
    .filter((object) => object !== null)
    .map(({ metadata, ...object }) => {
      const annotations = { ...(metadata?.['annotations'] as object), 'kustomize.toolkit.fluxcd.io/prune': 'disabled' };
      return { ...object, metadata: { ...metadata, annotations } };
    });
}

test.each(Object.entries(apps) as [App, string][])(
  '%s: %s sees no drift in the chart, though the operator has written a CA into its webhook configuration',
  async (app) => {
    const objects = await chart();
    await tools[app].apply('rekey', 'rekey-system', objects);
    const { webhooks } = await get<{ webhooks?: { clientConfig: { caBundle?: string } }[] }>('mutatingwebhookconfiguration', webhook);
    expect(webhooks?.[0]?.clientConfig.caBundle).toMatch(/^[A-Za-z0-9+/=]+$/u);
    expect(await tools[app].drifted('rekey')).toEqual([]);
    // It would have seen one, in this very object.
    await kubectl('patch', 'mutatingwebhookconfiguration', webhook, '--type=json', '-p', JSON.stringify(timeout));
    const drifted = await until(`${app} has drifted`, 30, async () => {
      const seen = await tools[app].drifted('rekey');
      return seen.length > 0 ? seen : undefined;
    });
    expect(drifted).toEqual([`MutatingWebhookConfiguration/${webhook}`]);
    await tools[app].apply('rekey', 'rekey-system', objects);
    expect(await tools[app].drifted('rekey')).toEqual([]);
  },
  300_000,
);
