import type { Clock } from '../clock.ts';
import type { Limit, Limits } from '../limits.ts';

/** So much of each answer is unpacked without delay, in bytes. */
const mostAtOnce = 1024 * 1024;
/** How far ahead of the pace all answers together may be: shorter pauses would be many timers. */
const aheadMilliseconds = 16;

interface Bounds {
  clock: Clock;
  limits: Limits;
  /** Tells that a limit was reached. */
  reached: (limit: Limit) => void;
}

/** Memory that a decoder has, or waits for. */
export interface Reservation {
  /** It is not needed any more. Once is enough. */
  release(): void;
}

interface Waiting {
  bytes: number;
  go: () => void;
}

/**
 * What the unpacking of answers that are searched may take, of all of them together. The upstream decides what 100 KB become, and how much
 * memory its coding takes: 26 bytes of br ask for 16 MiB. Each 16 KiB of output are new memory outside of the heap, and as fast as a
 * client reads they would make the garbage collector mark the whole heap many times a second, for up to 20 ms in which no other call goes on.
 */
export class Unpacking {
  readonly #bounds: Bounds;
  readonly #bytesPerMillisecond: number;
  readonly #waiting = new Set<Waiting>();
  #reserved = 0;
  /** When all that was unpacked would be done at the pace. */
  #paid = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
    this.#bytesPerMillisecond = bounds.limits.unpackedBytesPerSecond / 1000;
  }

  /** Memory for a decoder: `go` is called when it is there, which may be within. Undefined when there is never so much. */
  reserve(bytes: number, go: () => void): Reservation | undefined {
    const { limits, reached } = this.#bounds;
    const waiting = { bytes, go };
    const isMuch = this.#reserved + bytes > limits.unpackingBytes;
    if (isMuch) reached('unpackingBytes');
    if (bytes > limits.unpackingBytes) return undefined;
    let isReleased = false;
    this.#waiting.add(waiting);
    this.#serve();
    return {
      release: () => {
        if (isReleased) return;
        isReleased = true;
        if (!this.#waiting.delete(waiting)) this.#reserved -= bytes;
        this.#serve();
      },
    };
  }

  /** In the order in which they came: one that asks for much is not passed by for ever. */
  #serve(): void {
    for (const waiting of this.#waiting) {
      if (this.#reserved + waiting.bytes > this.#bounds.limits.unpackingBytes) return;
      this.#waiting.delete(waiting);
      this.#reserved += waiting.bytes;
      waiting.go();
    }
  }

  /** An answer of which `before` bytes were unpacked has become longer. False when more has to wait: `go` is called when it may go on. */
  unpacked(before: number, bytes: number, go: () => void): boolean {
    const { clock, reached } = this.#bounds;
    const beyond = Math.min(bytes, before + bytes - mostAtOnce);
    if (beyond <= 0) return true;
    const now = clock.now();
    this.#paid = Math.max(this.#paid, now) + beyond / this.#bytesPerMillisecond;
    const early = this.#paid - now - aheadMilliseconds;
    if (early <= 0) return true;
    reached('unpackedBytesPerSecond');
    clock.after(early, go);
    return false;
  }
}
