import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { home, run, until } from './run.ts';

export const kubeconfig = join(home, 'run/etc/admin.conf');
const own = join(home, 'bin/kubectl');
export const kubectlPath = existsSync(own) ? own : 'kubectl';
const env = { KUBECONFIG: kubeconfig };

/** kubectl against the test cluster. */
export function kubectl(...args: string[]): Promise<string> {
  return run(kubectlPath, args, { env });
}

export interface Thing {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string; [key: string]: unknown };
  [key: string]: unknown;
}

/** Server-side apply, with conflicts taken over, as a pipeline would do it. */
export function apply(objects: readonly object[], ...args: string[]): Promise<string> {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  return run(kubectlPath, ['apply', '--server-side', '--force-conflicts', '-f', '-', ...args], { env, input });
}

/** What `kubectl apply` says to an object that the API refuses. */
export async function refusal(object: object): Promise<string> {
  try {
    await run(kubectlPath, ['create', '--dry-run=server', '-f', '-'], { env, input: JSON.stringify(object) });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

export async function get<T = Thing>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl('get', '-o', 'json', ...args)) as T;
}

export async function list<T = Thing>(...args: string[]): Promise<T[]> {
  return (await get<{ items: T[] }>(...args)).items;
}

/**
 * Follows one object until it is as it should be, by one watch: a kubectl for each look would take a core from what is looked at.
 * Resolves when that was told, in milliseconds since 1970; rejects with `what` when the time is over.
 */
export async function followed(
  what: string,
  seconds: number,
  args: readonly string[],
  accept: (object: unknown) => boolean,
): Promise<number> {
  const end = Date.now() + seconds * 1000;
  let problem = '';
  while (Date.now() < end) {
    const { at, said } = await watched(args, end - Date.now(), accept);
    if (at !== undefined) return at;
    problem = said === '' ? problem : ` (${said})`;
    await pause(250);
  }
  throw new Error(`not within ${seconds} s: ${what}${problem}`);
}

/** When it was told, unless the watch ended first: the API server closed it, the time was over, or kubectl `said` what is wrong. */
async function watched(
  args: readonly string[],
  milliseconds: number,
  accept: (object: unknown) => boolean,
): Promise<{ at: number | undefined; said: string }> {
  const signal = AbortSignal.timeout(milliseconds);
  const command = ['get', ...args, '--watch', '-o', 'jsonpath={@}{"\\n"}'];
  const child = spawn(kubectlPath, command, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], signal });
  let said = '';
  child.on('error', ({ message }) => (said ||= signal.aborted ? '' : message));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text.trim()));
  try {
    for await (const line of createInterface(child.stdout)) {
      // The last line may be half of one.
      if (signal.aborted) break;
      if (accept(JSON.parse(line))) return { at: Date.now(), said };
    }
    return { at: undefined, said };
  } finally {
    child.kill();
  }
}

export interface Pod {
  metadata: { name: string; namespace: string; uid: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { nodeName?: string; containers: { name: string }[]; initContainers?: { name: string }[] };
  status: {
    phase: string;
    podIP?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}
export interface ContainerStatus {
  name: string;
  restartCount: number;
  containerID?: string;
  ready: boolean;
}

export const pods = (namespace: string, ...args: string[]): Promise<Pod[]> => list<Pod>('pods', '-n', namespace, ...args);

/** The address of a namespace's running pod that is labelled `app: APP`, once there is one. */
export function addressOf(namespace: string, app: string): Promise<string> {
  return until(
    `a running pod ${app} in ${namespace}`,
    60,
    async () => (await pods(namespace, '-l', `app=${app}`)).find(({ status }) => status.phase === 'Running')?.status.podIP,
  );
}

export const isReady = (pod: Pod): boolean =>
  pod.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

/** All containers of a pod that have a status, the sidecar among them. */
export const containers = (pod: Pod): ContainerStatus[] => [
  ...(pod.status.initContainerStatuses ?? []),
  ...(pod.status.containerStatuses ?? []),
];

export const restarts = (pod: Pod): number => containers(pod).reduce((sum, { restartCount }) => sum + restartCount, 0);
