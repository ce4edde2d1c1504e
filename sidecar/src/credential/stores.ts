import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import type { SourceKind } from '@rekey/crds/source-kind.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { knownKind, openSource } from '../source/registry.ts';
import type { Source, SourceContext } from '../source/source.ts';

export interface StoresContext extends Pick<SourceContext, 'lookup' | 'namespace' | 'pod' | 'secrets'> {
  /** This pod's own token for the store of that name, read from its file. */
  token: (store: string) => Promise<string>;
  /** What the source of that store would answer may have changed; an empty name for what needs no store. */
  onChange: (store: string) => void;
}

interface Entry {
  spec: StoreSpec | undefined;
  sources: Map<SourceKind, Promise<Source>>;
}

/** The stores that the pod's credentials name, each with one source (and so one login) that they share. */
export class Stores {
  readonly #context: StoresContext;
  readonly #entries = new Map<string, Entry>();
  /** What credentials without a store read from. */
  readonly #own: Entry = { spec: undefined, sources: new Map() };

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
    else if (before?.spec !== undefined && placeOf(before.spec) === placeOf(spec)) {
      before.spec = spec;
      return;
    } else this.#entries.set(name, { spec, sources: new Map() });
    close(before);
  }

  /** Rejects with a Failure when there is no such store, or it is not of the kind that the credential reads from. */
  async source({ source, storeRef }: Pick<CredentialSpec, 'source' | 'storeRef'>): Promise<Source> {
    const kind = knownKind(source);
    const name = storeNameOf({ source, storeRef });
    const entry = name === '' ? this.#own : this.#entries.get(name);
    if (entry === undefined) throw new Failure('StoreNotFound', `there is no MCPCredentialStore ${name}`);
    const opened = entry.sources.get(kind) ?? this.#open(kind, name, entry);
    entry.sources.set(kind, opened);
    try {
      return await opened;
    } catch (error) {
      entry.sources.delete(kind);
      throw error;
    }
  }

  close(): void {
    for (const entry of [...this.#entries.values(), this.#own]) close(entry);
    this.#entries.clear();
  }

  #open(kind: SourceKind, name: string, { spec }: Entry): Promise<Source> {
    const { token, onChange } = this.#context;
    return openSource(kind, { ...this.#context, name, store: spec, token: () => token(name), onChange: () => onChange(name) });
  }
}

/** Empty for what needs no store. */
export function storeNameOf({ source, storeRef }: Pick<CredentialSpec, 'source' | 'storeRef'>): string {
  return hasStore(source) ? storeRef.name : '';
}

/** Where a store's secrets are: part of the key of every value that was read from it. */
export function placeOf({ pollIntervalSeconds: _poll, allowedNamespaces: _allowed, ...place }: StoreSpec): string {
  return JSON.stringify(place);
}

function close(entry: Entry | undefined): void {
  for (const source of entry?.sources.values() ?? []) {
    source.then(
      (opened) => opened.close(),
      () => undefined,
    );
  }
  entry?.sources.clear();
}
