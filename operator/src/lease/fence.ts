import type { Kubernetes } from '../kubernetes.ts';

export interface Fence {
  /** Reads go through, writes only while the replica leads: one that was paused and goes on finds the door closed before it knows why. */
  kubernetes: Kubernetes;
  /** Resolves once the writes under way are answered. */
  settled: () => Promise<unknown>;
}

/** `holds` is asked in the moment of each write. */
export function fence(kubernetes: Kubernetes, holds: () => boolean): Fence {
  const underWay = new Set<Promise<unknown>>();
  const guarded = async <T>(write: () => Promise<T>): Promise<T> => {
    if (!holds()) throw Object.assign(new Error('this replica does not lead'), { code: 'NotLeading' });
    const writing = write();
    underWay.add(writing);
    return writing.finally(() => underWay.delete(writing));
  };
  return {
    kubernetes: {
      get: kubernetes.get,
      read: kubernetes.read,
      create: (collection, object) => guarded(() => kubernetes.create(collection, object)),
      apply: (path, object) => guarded(() => kubernetes.apply(path, object)),
      patch: (path, change, type) => guarded(() => kubernetes.patch(path, change, type)),
    },
    settled: () => Promise.allSettled(underWay),
  };
}
