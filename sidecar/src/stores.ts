import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { openSource } from './source/registry.ts';
import type { Source, SourceContext } from './source/source.ts';

export interface StoresContext {
  lookup: SourceContext['lookup'];
  /** This pod's own token for the store of that name, read from its file. */
  token: (store: string) => Promise<string>;
}

interface Entry {
  spec: StoreSpec;
  source: Promise<Source> | undefined;
}

/** The stores that the pod's credentials name, each with one source (and so one login) that they share. */
export class Stores {
  readonly #context: StoresContext;
  readonly #entries = new Map<string, Entry>();

  constructor(context: StoresContext) {
    this.#context = context;
  }

  spec(name: string): StoreSpec | undefined {
    return this.#entries.get(name)?.spec;
  }

  /** As the store is now; undefined: it is gone. A source is opened anew only when the place it reads from has changed. */
  set(name: string, spec: StoreSpec | undefined): void {
    const before = this.#entries.get(name);
    if (spec === undefined) this.#entries.delete(name);
    else if (before !== undefined && placeOf(before.spec) === placeOf(spec)) {
      before.spec = spec;
      return;
    } else this.#entries.set(name, { spec, source: undefined });
    close(before?.source);
  }

  async source(name: string): Promise<Source> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Failure('StoreNotFound', `there is no MCPCredentialStore ${name}`);
    const { lookup, token } = this.#context;
    entry.source ??= openSource({ name, store: entry.spec, lookup, token: () => token(name) });
    try {
      return await entry.source;
    } catch (error) {
      entry.source = undefined;
      throw error;
    }
  }

  close(): void {
    for (const { source } of this.#entries.values()) close(source);
    this.#entries.clear();
  }
}

/** Where a store's secrets are: part of the key of every value that was read from it. */
export function placeOf({ pollIntervalSeconds: _poll, allowedNamespaces: _allowed, ...place }: StoreSpec): string {
  return JSON.stringify(place);
}

function close(source: Promise<Source> | undefined): void {
  source?.then(
    (opened) => opened.close(),
    () => undefined,
  );
}
