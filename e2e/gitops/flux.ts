import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { builtProgram, temporaryFolder } from '@rekey/lib/process.real.ts';
import { apply, get, kubectl } from '../lib/kube.ts';
import { until } from '../lib/run.ts';
import { createNamespace, installDefinitions, startProgram } from './installation.ts';
import { startRepository } from './repository.ts';
import type { Tool } from './tool.ts';

const group = 'kustomize.toolkit.fluxcd.io';
const space = 'flux-system';

interface Kustomization {
  status?: { lastHandledReconcileAt?: string; conditions?: { type: string; status: string; message: string }[] };
}

/** Flux' own kustomize-controller as a process. What it applies it is told by an ExternalArtifact, as another source controller would write it. */
export async function startFlux(endings: AsyncDisposableStack): Promise<Tool> {
  await installDefinitions(endings, 'source-controller', 'kustomize-controller');
  await createNamespace(endings, space);
  const repository = await startRepository(endings);
  const folder = temporaryFolder('flux');
  const [metrics, health] = [await freePort(), await freePort()];
  await startProgram(endings, {
    name: builtProgram('kustomize-controller'),
    arguments: [
      '--feature-gates=ExternalArtifact=true',
      '--no-remote-bases',
      `--metrics-addr=127.0.0.1:${metrics}`,
      `--health-addr=127.0.0.1:${health}`,
    ],
    folder,
    environment: { RUNTIME_NAMESPACE: space },
    port: health,
  });
  // While it runs: it has a finalizer on each, and takes away what it has brought in.
  endings.defer(async () => void (await kubectl('delete', '-n', space, `kustomizations.${group}`, '--all', '--timeout=60s')));
  const said = (): string => readFileSync(join(folder, 'log'), 'utf8');

  /** One reconciliation, from its beginning to its end; resolves with what it did to each object. */
  async function reconcile(name: string): Promise<Map<string, string>> {
    const token = randomUUID();
    const before = said().length;
    await kubectl('annotate', '-n', space, `kustomizations.${group}/${name}`, `reconcile.fluxcd.io/requestedAt=${token}`, '--overwrite');
    await until(`Flux has reconciled ${name}`, 150, async () => {
      const { status } = await get<Kustomization>('-n', space, `kustomizations.${group}/${name}`);
      if (status?.lastHandledReconcileAt !== token) return undefined;
      const ready = status.conditions?.find(({ type }) => type === 'Ready');
      if (ready?.status === 'False') throw new Error(ready.message);
      return ready?.status === 'True' ? true : undefined;
    });
    return new Map(applied(said().slice(before), name));
  }

  return {
    apply: async (name, namespace, manifests) => {
      const { url, digest } = await repository.archive(name, manifests);
      const metadata = { name, namespace: space };
      const source = { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'ExternalArtifact', metadata };
      const now = new Date().toISOString();
      const artifact = { url, digest, revision: `main@${digest}`, path: new URL(url).pathname, lastUpdateTime: now };
      const ready = { type: 'Ready', status: 'True', reason: 'Succeeded', message: 'published', lastTransitionTime: now };
      await apply([{ ...source, spec: {} }]);
      await apply([{ ...source, status: { artifact, conditions: [ready] } }], '--subresource=status');
      const spec = { interval: '10m', timeout: '2m', prune: true, wait: true, path: './', targetNamespace: namespace };
      const sourceRef = { kind: source.kind, name };
      await apply([{ apiVersion: `${group}/v1`, kind: 'Kustomization', metadata, spec: { ...spec, sourceRef } }]);
      await reconcile(name);
    },
    drifted: async (name) => {
      const actions = [...(await reconcile(name))];
      if (actions.length === 0) throw new Error(`Flux has not said what it compared:\n${said().slice(-2000)}`);
      return actions.filter(([, action]) => action !== 'unchanged').map(([object]) => object);
    },
  };
}

/** Of the controller's log: `Kind/name` and what was done, with the last word on each. */
function applied(log: string, name: string): [string, string][] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { msg: string; name?: string; output?: Record<string, string> })
    .filter(({ msg, name: of }) => msg.startsWith('server-side apply') && of === name)
    .flatMap(({ output = {} }) => Object.entries(output))
    .map(([object, action]) => {
      // Kind/namespace/name, or Kind/name.
      const parts = object.split('/');
      return [`${parts[0]}/${parts.at(-1)}`, action];
    });
}
