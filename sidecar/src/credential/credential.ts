import type { CredentialSpec } from '@rekey/crds/credential.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';

/** Where a value came from: `hit` = from memory, `miss` = read for this call, `stale` = from memory past its time because the source is away. */
export type CacheState = 'hit' | 'miss' | 'stale';

/** A value to use for one call. Hold it no longer than the call. */
export interface Grant {
  value: SecretValue;
  version: string;
  cache: CacheState;
  /** It is of the version before: the newest is refused, and that may pass. */
  fallback?: true;
}

/** One credential of this pod, live: what the data path needs of it. */
export interface LiveCredential {
  readonly name: string;
  /** The spec as it is now: it changes when the resource does. `undefined` once the resource is deleted. */
  spec(): CredentialSpec | undefined;
  /** The value for a call; a plain Grant when it is in memory, so that a hit costs no promise. Throws or rejects with a Failure. */
  grant(): Grant | Promise<Grant>;
  /**
   * The upstream refused `version`: one forced read of the source, shared by all calls that ask meanwhile. Resolves with the newest
   * value, or for `rotation.graceSeconds` with the one before; when its version is `version` still, the refusal stands and the caller passes
   * it through. Rejects with a Failure.
   */
  grantAfterRefusal(version: string): Promise<Grant>;
  /** Seconds since the value in memory was read; undefined when there is none. */
  age(): number | undefined;
  /** The upstream answered a call that carried `version`: accepted, or refused for good. Cheap; called for every call. */
  report(version: string, accepted: boolean): void;
  /** A call begins to carry `version`: its grant is in hand. As often as this, `ended` is called: a version may be revoked when no call has it. */
  began(version: string): void;
  ended(version: string): void;
  /** The fields of the answer to a call that carried `version`, as flat pairs: some upstreams tell there when the credential ends. */
  answered(version: string, fields: readonly string[]): void;
}
