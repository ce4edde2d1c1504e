import type { LookupFunction } from 'node:net';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';

export interface Reading {
  value: SecretValue;
  /** As the source names it: a number (Vault, GCP), an id (AWS), a fingerprint (Kubernetes Secret). Never a label that moves. */
  version: string;
  /** When this version was written, where the source says so. */
  createdAt?: Date;
  /** When the source will end it, where it says so. */
  expiresAt?: Date;
}

/**
 * A source of secrets: one method. Rejects with a Failure whose reason is from the closed list; no text of the provider leaves it.
 * One read makes at most three attempts within five seconds.
 *
 * | what the source says                               | reason                                     |
 * |----------------------------------------------------|--------------------------------------------|
 * | no such secret, no such version                    | SecretNotFound, VersionNotFound            |
 * | it is there and gone: marked, for good, switched off | VersionDeleted, VersionDestroyed, VersionDisabled |
 * | not this identity                                  | SourceDenied                               |
 * | not now: too many requests, sealed, any other      | SourceThrottled, SourceSealed, SourceUnreachable |
 * | nothing that can be understood                     | SourceResponseInvalid                      |
 * | a value that no request can carry                  | KeyNotFound, SecretValueEmpty, … (`value.ts`) |
 */
export interface Source {
  /** Reads the reference at `version`, or the newest when `version` is undefined. */
  read(reference: CredentialSource, version: string | undefined, signal: AbortSignal): Promise<Reading>;
  /** Closes connections and forgets tokens. */
  close(): void;
}

/** What a source is made from. */
export interface SourceContext {
  /** Name of the MCPCredentialStore, for messages; empty for a source without one. */
  name: string;
  store: StoreSpec | undefined;
  /** Reads this pod's own projected token for the store, anew at each login. */
  token: () => Promise<string>;
  lookup: LookupFunction;
  /** The pod's own. */
  namespace: string;
  pod: string;
  /** Folder of the Kubernetes Secrets that the pod's credentials read from: `<secret>/<key>`. */
  secrets: string;
  /** What the source would answer may have changed: for a source that is told, rather than asked. */
  onChange: () => void;
}
