import { Failure } from '@rekey/lib/reason.ts';
import type { Reading } from '../source/source.ts';

export type Outcome = Reading | Failure | 'ended';

/** One read of the source: the version that is wanted, or the newest whatever is wanted. Rejects with a Failure. */
export type Read = (newest: boolean, signal: AbortSignal) => Promise<Reading>;

/** At most one read at a time, which all that ask meanwhile share. */
export class SingleFlight {
  readonly #read: Read;
  readonly #landed: (outcome: Reading | Failure, newest: boolean) => void;
  #controller: AbortController | undefined;
  #outcome: Promise<Outcome> | undefined;

  /** `landed` is told of each read that was not ended, before those that wait for it. */
  constructor(read: Read, landed: (outcome: Reading | Failure, newest: boolean) => void) {
    this.#read = read;
    this.#landed = landed;
  }

  get isUnderWay(): boolean {
    return this.#outcome !== undefined;
  }

  /** Never rejects. */
  fly(newest: boolean): Promise<Outcome> {
    if (this.#outcome !== undefined) return this.#outcome;
    this.#controller = new AbortController();
    this.#outcome = this.#run(newest, this.#controller.signal);
    return this.#outcome;
  }

  /** What is under way is of no use any more. */
  end(): void {
    this.#controller?.abort();
    this.#outcome = undefined;
  }

  async #run(newest: boolean, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#read(newest, signal).catch((error: unknown) =>
      error instanceof Failure ? error : new Failure('SourceResponseInvalid'),
    );
    if (signal.aborted) return 'ended';
    this.#outcome = undefined;
    this.#landed(outcome, newest);
    return outcome;
  }
}
