import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, temporaryFolder, until } from '../../operator/src/poll/process.real.ts';
import { cpu, stop } from '../process.ts';
import type { Cluster } from './cluster.ts';
import { namespace, operatorName } from './cluster.ts';
import { kubeconfigFile } from './kwok.ts';

/** The shipped operator as a process of its own, with the rights and the environment that the chart gives it. */
export interface RunningOperator {
  pid: number;
  /** Seconds of CPU so far. */
  cpu: () => number;
  /** MB of resident memory: now, and the most since the last time this was asked. */
  memory: () => { now: number; most: number };
  stop: () => Promise<void>;
}

/** Those of the image. `--max-old-space-size-percentage` would take the whole machine for a container; the chart's limit is 256Mi. */
const flags = ['--max-semi-space-size=4', '--max-old-space-size=154', '--disable-sigusr1'];
const sampleMilliseconds = 100;

export async function startOperator({ api, environment }: Cluster): Promise<RunningOperator> {
  const folder = temporaryFolder('scale-operator');
  const kubeconfig = kubeconfigFile(folder, { ...api, token: await token(api.admin) });
  const healthPort = await freePort();
  const pod = { REKEY_NAMESPACE: namespace, REKEY_POD: `${operatorName}-1`, REKEY_HEALTH_PORT: String(healthPort), KUBECONFIG: kubeconfig };
  const program = new URL('../../build/operator/main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [...flags, program], { env: { ...environment, ...pod }, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.pipe(createWriteStream(join(folder, 'log')));
  const { pid = 0 } = child;
  await until(async () => (child.exitCode === null && (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok ? true : undefined));
  let stopping = false;
  child.once('exit', (code) => {
    if (!stopping) throw new Error(`the operator ended with ${code}: ${join(folder, 'log')}`);
  });
  let most = 0;
  const sampler = setInterval(() => (most = Math.max(most, resident(pid))), sampleMilliseconds);
  return {
    pid,
    cpu: () => cpu(pid) / 1e9,
    memory: () => {
      const now = resident(pid);
      const highest = Math.max(most, now);
      most = 0;
      return { now, most: highest };
    },
    stop: async () => {
      stopping = true;
      clearInterval(sampler);
      await pause(0);
      await stop(child);
    },
  };
}

/** Of a process that has ended it is nothing. */
function resident(pid: number): number {
  if (!existsSync(`/proc/${pid}`)) return 0;
  return Number(/^VmRSS:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

async function token(admin: Cluster['api']['admin']): Promise<string> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${operatorName}/token`;
  return (await admin.create<{ status: { token: string } }>(path, request)).status.token;
}
