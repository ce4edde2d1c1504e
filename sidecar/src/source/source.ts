import type { LookupFunction } from 'node:net';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';

export interface Reading {
  value: SecretValue;
  version: string;
}

/** A source of secrets: one method. Rejects with a Failure whose reason is from the closed list; no text of the provider leaves it. */
export interface Source {
  /** Reads the reference at `version`, or the newest when `version` is undefined. */
  read(reference: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading>;
  /** Closes connections and forgets tokens. */
  close(): void;
}

/** What a source is made from. */
export interface SourceContext {
  /** Name of the MCPCredentialStore, for messages. */
  name: string;
  store: StoreSpec;
  /** Reads this pod's own projected token for the store, anew at each login. */
  token: () => Promise<string>;
  lookup: LookupFunction;
}
