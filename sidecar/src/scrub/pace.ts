import type { Clock } from '../clock.ts';

/** Of all answers together. */
export const bytesPerMillisecond = 16 * 1024;
/** So far ahead of that it may be, so that an answer of up to 1 MiB never waits. */
const aheadMilliseconds = 64;

/**
 * How fast answers are unpacked that are searched. The upstream decides what 100 KB become, and each 16 KiB of it are new memory outside of
 * the heap: as fast as a client reads, that makes the garbage collector mark the whole heap many times a second, for up to 20 ms each, in
 * which no other call goes on.
 */
export class Pace {
  readonly #clock: Clock;
  /** When all that was unpacked would be done at this pace. */
  #paid = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** So many bytes were unpacked. False when more of them has to wait: `go` is called when it may go on. */
  unpacked(bytes: number, go: () => void): boolean {
    const now = this.#clock.now();
    this.#paid = Math.max(this.#paid, now) + bytes / bytesPerMillisecond;
    const early = this.#paid - now - aheadMilliseconds;
    if (early <= 0) return true;
    this.#clock.after(early, go);
    return false;
  }
}
