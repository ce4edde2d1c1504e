import { operatorContainer } from '../config.ts';

/** Names one process: a container that is started again in its pod is another one. */
export function identityOf(pod: string, process: string): string {
  return `${pod}_${process}`;
}

export function podOf(identity: string): string {
  return identity.slice(0, identity.lastIndexOf('_'));
}

interface Terminated {
  finishedAt?: string | null;
}

interface ContainerState {
  running?: object;
  terminated?: Terminated;
}

interface ContainerStatus {
  name: string;
  state?: ContainerState;
  lastState?: ContainerState;
}

/** Of a pod, what its kubelet says of its containers. */
export interface PodStatus {
  status?: { containerStatuses?: readonly ContainerStatus[] };
}

/**
 * Whether the process that renewed the Lease last is no more. Kubelet and process take their times from the same node's clock, the kubelet
 * in whole seconds.
 *
 * | the holder's pod | its container, now or before, ended | the holder |
 * |------------------|-------------------------------------|------------|
 * | is gone          | -                                   | has ended  |
 * | is there         | never, as far as the kubelet says   | may run    |
 * | is there         | before the renewal                  | may run    |
 * | is there         | in its second, or after it          | has ended  |
 */
export function hasEnded(pod: PodStatus | undefined, renewTime = ''): boolean {
  if (pod === undefined) return true;
  const statuses = pod.status?.containerStatuses ?? [];
  const finished = lastEnd(statuses.find(({ name }) => name === operatorContainer));
  return finished >= Math.floor(Date.parse(renewTime) / 1000) * 1000;
}

/** NaN, which is never later than anything, when it has not ended. */
function lastEnd({ state, lastState }: Partial<ContainerStatus> = {}): number {
  const { finishedAt } = state?.terminated ?? lastState?.terminated ?? {};
  return Date.parse(finishedAt ?? '');
}
