import { get, isReady, kubectl, pods } from './kube.ts';
import type { Pod } from './kube.ts';
import { processOf } from './process.ts';
import { until } from './run.ts';

export const operators = async (): Promise<Pod[]> => (await pods('rekey-system')).filter(({ status }) => status.phase === 'Running');

export const allReady = (): Promise<true> =>
  until('two operators are ready', 90, async () => {
    const all = await pods('rekey-system');
    return all.length === 2 && all.every(isReady) ? true : undefined;
  });

/** The pod of the replica that leads. */
export async function leader(): Promise<Pod> {
  return until('a replica leads', 30, async () => {
    const { spec } = await get<{ spec: { holderIdentity?: string } }>('lease', 'rekey-operator', '-n', 'rekey-system');
    return (await operators()).find(({ metadata }) => spec.holderIdentity?.startsWith(`${metadata.name}_`));
  });
}

/** Ends a replica as the loss of its machine does: its process is killed, and its pod is gone. A container that is only killed again and again would be started later each time. */
export async function kill(pod: Pod): Promise<void> {
  process.kill(await processOf(pod, 'operator'), 'SIGKILL');
  await kubectl('-n', 'rekey-system', 'delete', 'pod', pod.metadata.name, '--force', '--grace-period=0', '--wait=false');
}
