import { backoff, sleep } from '@rekey/lib/backoff.ts';
import { HttpAnswer } from './https.ts';

export interface Limits {
  /** Tries in all. */
  tries: number;
  /** Time in all, waits included. */
  milliseconds: number;
  random: () => number;
  isTransient: (error: unknown) => boolean;
}

/** Runs a task up to `tries` times within one deadline; waits with full jitter, or as long as the source asks. Rejects with the last error. */
export async function attempts<T>(task: (signal: AbortSignal) => Promise<T>, limits: Limits): Promise<T> {
  const { tries, milliseconds, random, isTransient } = limits;
  const signal = AbortSignal.timeout(milliseconds);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await task(signal);
    } catch (error) {
      if (attempt + 1 >= tries || signal.aborted || !isTransient(error)) throw error;
      const asked = error instanceof HttpAnswer ? error.retryAfterMilliseconds : 0;
      await sleep(Math.max(asked, backoff(attempt, random, 200, 1000)), signal);
      if (signal.aborted) throw error;
    }
  }
}
