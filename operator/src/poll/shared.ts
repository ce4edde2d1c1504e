import type { Store } from '@rekey/crds/store.ts';
import type { MetadataSource } from './poll.ts';

/** A store that was edited or made again is another one: its sessions and answers are not those of the old. */
export function storeId({ metadata }: Store): string {
  return `${metadata.name}@${metadata.uid ?? ''}.${metadata.generation ?? 0}`;
}

export interface SharedSources {
  acquire: (store: Store) => MetadataSource;
  release: (store: Store) => void;
}

/** One session with each store, closed when nobody uses it any more. */
export function sharedSources(open: (store: Store) => MetadataSource): SharedSources {
  const shared = new Map<string, { source: MetadataSource; users: number }>();
  return {
    acquire: (store) => {
      const entry = shared.get(storeId(store)) ?? { source: open(store), users: 0 };
      shared.set(storeId(store), { ...entry, users: entry.users + 1 });
      return entry.source;
    },
    release: (store) => {
      const entry = shared.get(storeId(store));
      if (entry === undefined) return;
      if (entry.users > 1) {
        shared.set(storeId(store), { ...entry, users: entry.users - 1 });
        return;
      }
      shared.delete(storeId(store));
      entry.source.close();
    },
  };
}
