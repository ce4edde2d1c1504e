import { join } from 'node:path';
import { kubectl } from '../lib/kube.ts';
import { home, until } from '../lib/run.ts';

/** Installs the CRDs of modules that e2e/cluster/build has put aside; resolves with what removes them, and with them all objects of their kinds. */
export async function installDefinitions(...modules: readonly string[]): Promise<() => Promise<void>> {
  const files = modules.flatMap((module) => ['-f', join(home, 'crds', module)]);
  // On the server's side: some are larger than what the annotation of a client's apply may hold.
  await kubectl('apply', '--server-side', ...files);
  // kubectl fails at one that has no conditions yet.
  await until('the definitions are established', 60, () => kubectl('wait', '--for=condition=Established', ...files, '--timeout=60s'));
  return async () => void (await kubectl('delete', ...files, '--ignore-not-found', '--timeout=60s'));
}
