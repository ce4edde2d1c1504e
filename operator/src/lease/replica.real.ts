import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kubernetes } from '../kubernetes.ts';
import { temporaryFolder } from '@rekey/lib/process.real.ts';
import { operatorContainer } from '../config.ts';

/** The operator as a process of its own, with a pod of its name that tests play the kubelet of. */
export interface RealReplica {
  pod: string;
  lines: string[];
  /** Resolves with the exit code, or with the signal that ended it. */
  exit: Promise<number | string | null>;
  signal: (name: NodeJS.Signals) => void;
  /** What the kubelet says once the container has ended. */
  tellEnd: () => Promise<void>;
}

export async function startReplica(pod: string, admin: Kubernetes, kubeconfig: string): Promise<RealReplica> {
  const path = `/api/v1/namespaces/rekey/pods/${pod}`;
  const spec = { nodeName: 'node1', containers: [{ name: operatorContainer, image: 'operator:1' }] };
  await admin.apply(path, { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace: 'rekey' }, spec });
  const say = async (state: object): Promise<void> => {
    const status = { name: operatorContainer, image: 'operator:1', imageID: '', ready: true, restartCount: 0, state };
    await admin.patch(`${path}/status`, { status: { phase: 'Running', containerStatuses: [status] } });
  };
  await say({ running: { startedAt: new Date().toISOString() } });
  const file = join(temporaryFolder('replica'), 'kubeconfig');
  writeFileSync(file, kubeconfig);
  const env = { KUBECONFIG: file, REKEY_NAMESPACE: 'rekey', REKEY_POD: pod, REKEY_SIDECAR_IMAGE: 'sidecar:1', ...anyPorts };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  return {
    pod,
    lines,
    exit: new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code))),
    signal: (name) => void child.kill(name),
    tellEnd: () => say({ terminated: { exitCode: 137, finishedAt: new Date().toISOString() } }),
  };
}

const anyPorts = { REKEY_WEBHOOK_PORT: '0', REKEY_HEALTH_PORT: '0' };
