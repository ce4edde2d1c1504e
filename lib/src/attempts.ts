import { backoff, sleep } from './backoff.ts';
import { Failure } from './reason.ts';

/** Times in milliseconds. One read takes `budget` at most, all its attempts and logins together. */
export interface Limits {
  attempts: number;
  attempt: number;
  budget: number;
  /** Base of the full jitter between two attempts. */
  pause: number;
  /** What is asked takes from a quota that many share: who is throttled does not try again. */
  shared?: boolean;
}

export const usual: Limits = { attempts: 3, attempt: 2000, budget: 5000, pause: 250 };

/** Worth another attempt: the next may reach a source that is well. */
const passing: ReadonlySet<string> = new Set(['SourceUnreachable', 'SourceThrottled', 'SourceSealed']);
/** The same where who is throttled does not try again. */
const passingShared: ReadonlySet<string> = new Set(['SourceUnreachable', 'SourceSealed']);

/** The attempts of all reads of one source. */
export class Attempts {
  readonly #limits: Limits;
  readonly #passing: ReadonlySet<string>;
  /** While the source is away each read tries once: a fleet that tries three times keeps a source down that comes back. */
  #away = false;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#passing = limits.shared === true ? passingShared : passing;
  }

  /** Runs the task until it answers, at most as the limits say. `what` is being read, for the message when time is over. */
  run<T>(task: (signal: AbortSignal) => Promise<T>, what: string, signal: AbortSignal): Promise<T> {
    const within = AbortSignal.any([signal, AbortSignal.timeout(this.#limits.budget)]);
    const late = (): Failure => new Failure('SourceUnreachable', `no answer in time, reading ${what}`);
    return ended(
      this.#repeat(() => task(within), within),
      within,
      late,
    );
  }

  async #repeat<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { attempts, pause } = this.#limits;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await task();
        this.#away = false;
        return answer;
      } catch (error) {
        const again = error instanceof Failure && this.#passing.has(error.reason);
        if (!again || this.#away || signal.aborted || attempt + 1 >= attempts) {
          this.#away = again;
          throw error;
        }
        await sleep(backoff(attempt, Math.random, pause), signal);
      }
    }
  }
}

/** The promise, or the failure once the signal aborts: a login that is shared with others is not ours to abort. */
function ended<T>(promise: Promise<T>, signal: AbortSignal, failure: () => Failure): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(failure());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
