import type { LookupFunction } from 'node:net';
import type { Log } from '@rekey/lib/log.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Config } from './config.ts';
import type { LiveCredential } from './credential.ts';

export interface CredentialsContext {
  config: Config;
  log: Log;
  /** Resolves names without the pod's hosts file, which the app may have rewritten. */
  lookup: LookupFunction;
  /** Each read of a source, once it is over. */
  onRead?: (credential: string, outcome: 'ok' | Reason) => void;
}

export interface LiveCredentials {
  /** The pod's credentials, in the order of the snapshot: the set is fixed, what they say is live. */
  list(): LiveCredential[];
  /** Called after a spec changed or a credential went or came back. */
  onChange(listener: () => void): void;
  stop(): Promise<void>;
}

/** Starts from the snapshot at once: returns without waiting for the API server or a source. */
export function startCredentials(_context: CredentialsContext): LiveCredentials {
  throw new Error('not built yet');
}
