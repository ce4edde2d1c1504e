import type { Clock } from '../clock.ts';

/** Those that wait for a change, or for a time. */
export class Wake {
  readonly #clock: Clock;
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Until the time, or until `wake`. All that wait share one timer: the first one's time is everybody's. */
  async until(time: number): Promise<void> {
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers();
      const { resolve, promise } = this.#waiting;
      const cancel = this.#clock.after(Math.max(0, time - this.#clock.now()), () => {
        this.#waiting = undefined;
        resolve();
      });
      void promise.then(cancel);
    }
    await this.#waiting.promise;
  }

  wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}
