import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { backoff } from '@rekey/lib/backoff.ts';
import type { Reading } from '../decide/input.ts';

interface Asked {
  store: Store;
  source?: CredentialSource | undefined;
  reading: Reading;
  /** How many failures in a row. */
  failures: number;
}

const loginSeconds = 60;
/** The clouds charge for each question, and limit them for everybody in the account or project. */
const cloudSeconds = 60;
const outage = new Set(['SourceUnreachable', 'SourceSealed']);

/**
 * How long to wait after an answer, in milliseconds. The interval is the store's, a minute at least where a cloud is asked.
 *
 * | answer                            | wait                                                   |
 * |-----------------------------------|--------------------------------------------------------|
 * | anything but the following        | the interval, 10 % more or less                        |
 * | SourceUnreachable, SourceSealed   | from a second up to the interval, so that the return of the source is seen within it |
 * | SourceThrottled                   | the interval doubled each time, up to eight times      |
 */
export function pause({ store, source, reading, failures }: Asked, random: () => number): number {
  const seconds = store.spec.vault === undefined ? Math.max(store.spec.pollIntervalSeconds, cloudSeconds) : store.spec.pollIntervalSeconds;
  const interval = (source === undefined ? Math.max(seconds, loginSeconds) : seconds) * 1000;
  const reason = reading.failure?.reason ?? '';
  if (outage.has(reason)) return Math.max(500, backoff(failures - 1, random, 1000, seconds * 1000));
  const factor = reason === 'SourceThrottled' ? 2 ** Math.min(failures, 3) : 1;
  return interval * factor * (0.9 + 0.2 * random());
}
