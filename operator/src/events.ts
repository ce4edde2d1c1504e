import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { Clock } from './clock.ts';
import type { News } from './decide/news.ts';
import { fieldManager } from './kubernetes.ts';
import type { Kubernetes } from './kubernetes.ts';

export interface EventsContext {
  kubernetes: Pick<Kubernetes, 'create' | 'patch'>;
  log: Log;
  /** Name of the operator's own pod. */
  pod: string;
  clock: Clock;
}

/** Writes Events of an object that has its apiVersion and kind; never rejects: an Event that is lost must not hold a rotation. */
export type Recorder = (object: KubernetesObject, news: readonly News[]) => Promise<void>;

const quietMilliseconds = 5 * 60_000;

/** An Event that was written. */
interface Written {
  /** Of the clock that nobody sets. */
  at: number;
  path: string;
  count: number;
}

/**
 * Events as core/v1 writes them, with the times that `kubectl get events --sort-by=.lastTimestamp` sorts by. Of one reason and object there
 * is one in five minutes: a source that comes and goes must not fill the event store.
 *
 * | the same reason of the object within 5 minutes | type    | outcome                                               |
 * |------------------------------------------------|---------|-------------------------------------------------------|
 * | no                                             | any     | a new Event                                           |
 * | yes                                            | Warning | nothing: it has been said                             |
 * | yes                                            | Normal  | the Event gets the new message, and counts one more   |
 */
export function eventRecorder({ kubernetes, log, pod, clock }: EventsContext): Recorder {
  const written = new Map<string, Written>();
  const write = async (object: KubernetesObject, news: News): Promise<void> => {
    const time = new Date(clock.wall());
    for (const [key, { at }] of written) if (clock.monotonic() - at >= quietMilliseconds) written.delete(key);
    const key = `${object.metadata.uid ?? ''} ${news.reason}`;
    const before = written.get(key);
    if (before !== undefined && news.type === 'Warning') return;
    if (before !== undefined) {
      before.count += 1;
      await kubernetes.patch(before.path, { message: shortened(news.message), count: before.count, lastTimestamp: seconds(time) });
      return;
    }
    const collection = `/api/v1/namespaces/${object.metadata.namespace ?? 'default'}/events`;
    // Before the answer: what is new meanwhile is the same news.
    const entry = { at: clock.monotonic(), path: '', count: 1 };
    written.set(key, entry);
    const event = await kubernetes.create(collection, eventOf(object, news, { pod, time }));
    entry.path = `${collection}/${event.metadata.name}`;
  };
  return async (object, news) => {
    const { namespace = 'default', name, uid = '' } = object.metadata;
    for (const one of news) {
      await write(object, one).catch((error: unknown) => {
        written.delete(`${uid} ${one.reason}`);
        log('warn', 'event not written', { namespace, name, reason: one.reason, code: errorCode(error) });
      });
    }
  };
}

function eventOf({ apiVersion, kind, metadata }: KubernetesObject, news: News, { pod, time }: { pod: string; time: Date }): object {
  const { name, uid } = metadata;
  const namespace = metadata.namespace === undefined ? {} : { namespace: metadata.namespace };
  const at = seconds(time);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: `${name.slice(0, 200)}.`, namespace: metadata.namespace ?? 'default' },
    involvedObject: { apiVersion, kind, name, uid, ...namespace },
    type: news.type,
    reason: news.reason,
    message: shortened(news.message),
    source: { component: fieldManager },
    reportingComponent: fieldManager,
    reportingInstance: pod,
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  };
}

/** As metav1.Time writes it. */
function seconds(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

function shortened(message: string): string {
  return message.length > 1000 ? `${message.slice(0, 999)}…` : message;
}
