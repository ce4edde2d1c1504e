import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { builtProgram, temporaryFolder } from '@rekey/lib/process.real.ts';
import { apply, get, kubectl } from '../lib/kube.ts';
import { home, until } from '../lib/run.ts';
import { createNamespace, installDefinitions, startProgram } from './installation.ts';
import { startRepository } from './repository.ts';
import type { Tool } from './tool.ts';

const space = 'argocd';
const kind = 'applications.argoproj.io';

interface Application {
  metadata: { annotations?: Record<string, string> };
  status?: {
    reconciledAt?: string;
    sync?: { status: string; revision?: string };
    health?: { status: string };
    operationState?: { phase: string; message?: string; syncResult?: object };
    resources?: { kind: string; name: string; status: string }[];
    conditions?: { message: string }[];
  };
}

interface Options {
  /** Of each Application: `ServerSideApply=true`, … */
  syncOptions?: string[];
  annotations?: Record<string, string>;
}

/** Argo CD as processes: its application controller, its repo server and the Redis between them. The user interface is left out. */
export async function startArgo(endings: AsyncDisposableStack): Promise<(options?: Options) => Tool> {
  await installDefinitions(endings, 'argocd');
  await createNamespace(endings, space);
  await apply(objects);
  const repository = await startRepository(endings);
  const folder = temporaryFolder('argo');
  const password = randomUUID();
  const [redis, repo, ofRepo, ofController] = [await freePort(), await freePort(), await freePort(), await freePort()];
  await startProgram(endings, {
    name: 'redis-server',
    arguments: ['--bind', '127.0.0.1', '--port', String(redis), '--requirepass', password, '--save', ''],
    folder,
  });
  const environment = {
    ARGOCD_FAKE_IN_CLUSTER: 'true',
    ARGOCD_GPG_ENABLED: 'false',
    ARGOCD_CONTROLLER_REPLICAS: '1',
    REDIS_PASSWORD: password,
    // For Helm, which makes the manifests.
    PATH: `${join(home, 'bin')}:${process.env['PATH']}`,
  };
  const common = { name: builtProgram('argocd'), folder, environment };
  await startProgram(endings, {
    ...common,
    arguments: [
      'repo-server',
      '--address=127.0.0.1',
      `--port=${repo}`,
      '--metrics-address=127.0.0.1',
      `--metrics-port=${ofRepo}`,
      '--disable-tls',
      `--redis=127.0.0.1:${redis}`,
    ],
    port: ofRepo,
  });
  await startProgram(endings, {
    ...common,
    arguments: [
      'application-controller',
      `--namespace=${space}`,
      `--repo-server=127.0.0.1:${repo}`,
      '--repo-server-plaintext',
      `--metrics-port=${ofController}`,
      `--redis=127.0.0.1:${redis}`,
    ],
    port: ofController,
  });

  /** Compares now; resolves with what is seen when that is done. */
  async function refresh(name: string): Promise<Application> {
    await kubectl('annotate', '-n', space, `${kind}/${name}`, 'argocd.argoproj.io/refresh=normal', '--overwrite');
    return until(`Argo CD has compared ${name}`, 120, async () => {
      const application = await get<Application>('-n', space, `${kind}/${name}`);
      const asked = application.metadata.annotations?.['argocd.argoproj.io/refresh'];
      return asked === undefined && application.status?.sync !== undefined ? application : undefined;
    });
  }

  return ({ syncOptions = [], annotations = {} } = {}) => ({
    apply: async (name, namespace, manifests) => {
      const targetRevision = await repository.chart(name, manifests);
      const metadata = { name, namespace: space, annotations };
      const source = { repoURL: repository.url, chart: name, targetRevision };
      const destination = { server: 'https://kubernetes.default.svc', namespace };
      const spec = { project: 'default', source, destination, syncPolicy: { syncOptions } };
      await apply([{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Application', metadata, spec }]);
      const operation = JSON.stringify({ operation: { sync: { revision: targetRevision, syncOptions } } });
      const sync = (): Promise<string> => kubectl('patch', '-n', space, `${kind}/${name}`, '--type=merge', '-p', operation);
      await sync();
      await until(`Argo CD has brought ${name} in`, 180, async () => {
        const { status } = await refresh(name);
        const { operationState, sync: synced, health, conditions } = status ?? {};
        if (operationState?.phase === 'Succeeded' && synced?.status === 'Synced' && health?.status === 'Healthy') return true;
        // An Error is none of the manifests: it may not have seen its own project yet.
        if (operationState?.phase === 'Error') await sync();
        throw new Error(JSON.stringify({ ...operationState, synced, health, conditions }));
      });
    },
    drifted: async (name) => {
      const { status } = await refresh(name);
      const { resources = [] } = status ?? {};
      if (resources.length === 0) throw new Error(`Argo CD has compared nothing: ${JSON.stringify(status?.conditions)}`);
      const differing = resources.filter((resource) => resource.status !== 'Synced').map((resource) => `${resource.kind}/${resource.name}`);
      if ((status?.sync?.status === 'Synced') !== (differing.length === 0))
        throw new Error(`Argo CD says ${status?.sync?.status} of ${differing.join(', ')}`);
      return differing;
    },
  });
}

const settings = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: space, labels: { 'app.kubernetes.io/part-of': 'argocd' } },
  data: {},
});

/** What Argo CD's installation brings besides the programs. */
const objects = [
  settings('argocd-cm'),
  settings('argocd-rbac-cm'),
  {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'argocd-secret', namespace: space, labels: { 'app.kubernetes.io/part-of': 'argocd' } },
    stringData: { 'server.secretkey': randomUUID() },
  },
  {
    apiVersion: 'argoproj.io/v1alpha1',
    kind: 'AppProject',
    metadata: { name: 'default', namespace: space },
    spec: {
      sourceRepos: ['*'],
      destinations: [{ namespace: '*', server: '*' }],
      clusterResourceWhitelist: [{ group: '*', kind: '*' }],
    },
  },
];
