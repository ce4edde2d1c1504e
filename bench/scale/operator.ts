import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { temporaryFolder, until } from '@rekey/lib/process.real.ts';
import { imageOf } from '../dockerfile.ts';
import { cpu, stop } from '../process.ts';
import type { Cluster } from './cluster.ts';
import { namespace, operatorName } from './cluster.ts';
import { kubeconfigFile } from './kwok.ts';

/** The shipped operator as a process of its own, with the rights and the environment that the chart gives it. */
export interface RunningOperator {
  /** Seconds of CPU so far. */
  cpu: () => number;
  /** How often it ended and was started again. */
  restarts: () => number;
  /** MB of resident memory: now, and the most since the last time this was asked. */
  memory: () => { now: number; most: number };
  stop: () => Promise<void>;
}

/** `--max-old-space-size-percentage` would take the whole machine for a container; the chart's limit is 256Mi, of which the image takes 60 %. */
const heap = '--max-old-space-size=154';
const { flags, variables } = imageOf('operator');
const shipped = [...flags.filter((flag) => !flag.startsWith('--max-old-space-size-percentage')), heap];
const sampleMilliseconds = 100;

export async function startOperator({ api, environment }: Cluster): Promise<RunningOperator> {
  const folder = temporaryFolder('scale-operator');
  const kubeconfig = kubeconfigFile(folder, { ...api, token: await token(api.admin) });
  const healthPort = await freePort();
  const pod = { REKEY_NAMESPACE: namespace, REKEY_POD: `${operatorName}-1`, REKEY_HEALTH_PORT: String(healthPort), KUBECONFIG: kubeconfig };
  const program = new URL('../../build/operator/main.js', import.meta.url).pathname;
  const log = createWriteStream(join(folder, 'log'));
  const start = (): ChildProcess => {
    const child = spawn(process.execPath, [...shipped, program], {
      env: { ...variables, ...environment, ...pod },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.pipe(log, { end: false });
    return child;
  };
  const running = keepRunning(start);
  await until(async () => ((await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok ? true : undefined));
  let most = 0;
  const sampler = setInterval(() => (most = Math.max(most, resident(running.pid()))), sampleMilliseconds);
  return {
    cpu: () => running.cpu() / 1e9,
    restarts: running.restarts,
    memory: () => {
      const now = resident(running.pid());
      const highest = Math.max(most, now);
      most = 0;
      return { now, most: highest };
    },
    stop: async () => {
      clearInterval(sampler);
      await running.stop();
    },
  };
}

interface Kept {
  pid: () => number;
  /** Nanoseconds, of all lives; the last tenth of a second of an earlier one is lost. */
  cpu: () => number;
  restarts: () => number;
  stop: () => Promise<void>;
}

/** As a kubelet does: an operator that has lost its Lease, since the API server did not answer for ten seconds, ends and is started again. */
function keepRunning(start: () => ChildProcess): Kept {
  let [child, restarts, before, latest, stopping] = [start(), 0, 0, 0, false];
  const pid = (): number => child.pid ?? 0;
  const again = (): void => {
    if (stopping) return;
    [before, latest, restarts] = [before + latest, 0, restarts + 1];
    child = start().once('exit', again);
  };
  child.once('exit', again);
  const look = (): number => (latest = existsSync(`/proc/${pid()}/task`) ? cpu(pid()) : latest);
  const looking = setInterval(look, sampleMilliseconds);
  return {
    pid,
    cpu: () => before + look(),
    restarts: () => restarts,
    stop: async () => {
      stopping = true;
      clearInterval(looking);
      await stop(child);
    },
  };
}

/** Of a process that has ended it is nothing. */
function resident(pid: number): number {
  if (!existsSync(`/proc/${pid}`)) return 0;
  return Number(/^VmRSS:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

async function token(admin: Cluster['api']['admin']): Promise<string> {
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } };
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${operatorName}/token`;
  return (await admin.create<{ status: { token: string } }>(path, request)).status.token;
}
