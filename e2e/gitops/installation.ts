import { join } from 'node:path';
import { startProcess } from '@rekey/lib/process.real.ts';
import { apply, kubeconfig, kubectl } from '../lib/kube.ts';
import { home, until } from '../lib/run.ts';

// What a tool consists of besides its programs' own work: each part is taken away by `endings`, also when a later one fails.

/** The CRDs of modules that e2e/cluster/build has put aside; with them go all objects of their kinds. */
export async function installDefinitions(endings: AsyncDisposableStack, ...modules: readonly string[]): Promise<void> {
  const files = modules.flatMap((module) => ['-f', join(home, 'crds', module)]);
  endings.defer(async () => void (await kubectl('delete', ...files, '--ignore-not-found', '--timeout=60s')));
  // On the server's side: some are larger than what the annotation of a client's apply may hold.
  await kubectl('apply', '--server-side', ...files);
  // kubectl fails at one that has no conditions yet.
  await until('the definitions are established', 60, () => kubectl('wait', '--for=condition=Established', ...files, '--timeout=60s'));
}

export async function createNamespace(endings: AsyncDisposableStack, name: string): Promise<void> {
  endings.defer(async () => void (await kubectl('delete', 'namespace', name, '--ignore-not-found', '--timeout=60s')));
  await apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }]);
}

interface Program {
  name: string;
  arguments: string[];
  folder: string;
  environment?: Record<string, string>;
  /** Where it answers HTTP once it runs. */
  port?: number;
}

/** A program of the tool, on this machine; resolves when it answers, or rejects with its last words. */
export async function startProgram(endings: AsyncDisposableStack, { port, environment = {}, ...rest }: Program): Promise<void> {
  const process = await startProcess({ ...rest, environment: { KUBECONFIG: kubeconfig, TMPDIR: rest.folder, ...environment } });
  endings.defer(process.stop);
  if (port !== undefined) await process.until(async () => (await fetch(`http://127.0.0.1:${port}/`)).status);
}
