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
  /** Of a quota that others draw on too: how many questions do, at how many a minute, and how much slower than that for now. */
  shared?: { questions: number; perMinute: number; slowness: number } | undefined;
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
 * | SourceThrottled                   | the interval doubled each time, up to eight times; of a shared quota all that share it |
 */
export function pause(asked: Asked, random: () => number): number {
  const { reading, failures, shared } = asked;
  const seconds = secondsOf(asked);
  const reason = reading.failure?.reason ?? '';
  if (outage.has(reason)) return Math.max(500, backoff(failures - 1, random, 1000, seconds * 1000));
  const factor = shared?.slowness ?? (reason === 'SourceThrottled' ? 2 ** Math.min(failures, 3) : 1);
  return seconds * 1000 * factor * (0.9 + 0.2 * random());
}

/** The store's interval, or longer: for a login, for a cloud, and so that all questions of a shared quota have room in it. */
function secondsOf({ store: { spec }, source, shared }: Asked): number {
  const least = spec.vault === undefined ? cloudSeconds : source === undefined ? loginSeconds : 0;
  const room = shared === undefined ? 0 : (shared.questions / shared.perMinute) * 60;
  return Math.max(spec.pollIntervalSeconds, least, room);
}
