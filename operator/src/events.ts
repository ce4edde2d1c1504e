import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { News } from './decide/news.ts';
import { fieldManager } from './kubernetes.ts';
import type { Kubernetes } from './kubernetes.ts';

export interface EventsContext {
  kubernetes: Pick<Kubernetes, 'create'>;
  log: Log;
  /** Name of the operator's own pod. */
  pod: string;
  now: () => Date;
}

/** Writes Events of an object that has its apiVersion and kind; never rejects: an Event that is lost must not hold a rotation. */
export type Recorder = (object: KubernetesObject, news: readonly News[]) => Promise<void>;

const quietMilliseconds = 5 * 60_000;

/**
 * Events as core/v1 writes them, with the times that `kubectl get events --sort-by=.lastTimestamp` sorts by. The same warning
 * about the same object is written once in five minutes: a source that comes and goes must not fill the event store.
 */
export function eventRecorder({ kubernetes, log, pod, now }: EventsContext): Recorder {
  const warned = new Map<string, number>();
  const isNew = (object: KubernetesObject, { type, reason }: News): boolean => {
    if (type === 'Normal') return true;
    const time = now().getTime();
    for (const [key, at] of warned) if (time - at >= quietMilliseconds) warned.delete(key);
    const key = `${object.metadata.uid ?? ''} ${reason}`;
    if (warned.has(key)) return false;
    warned.set(key, time);
    return true;
  };
  return async (object, news) => {
    for (const one of news) {
      if (!isNew(object, one)) continue;
      const namespace = object.metadata.namespace ?? 'default';
      await kubernetes
        .create(`/api/v1/namespaces/${namespace}/events`, eventOf(object, one, { pod, time: now() }))
        .catch((error: unknown) => {
          log('warn', 'event not written', { namespace, name: object.metadata.name, reason: one.reason, code: errorCode(error) });
        });
    }
  };
}

function eventOf({ apiVersion, kind, metadata }: KubernetesObject, news: News, { pod, time }: { pod: string; time: Date }): object {
  const { name, uid } = metadata;
  const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
  const seconds = `${time.toISOString().slice(0, 19)}Z`;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name.slice(0, 200)}.`, namespace: metadata.namespace ?? 'default' },
    involvedObject: { apiVersion, kind, name, uid, ...namespace },
    type: news.type,
    reason: news.reason,
    message: news.message.length > 1000 ? `${news.message.slice(0, 999)}…` : news.message,
    source: { component: fieldManager },
    reportingComponent: fieldManager,
    reportingInstance: pod,
    firstTimestamp: seconds,
    lastTimestamp: seconds,
    count: 1,
  };
}
