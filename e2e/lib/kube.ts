import { existsSync } from 'node:fs';
import { join } from 'node:path';
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
