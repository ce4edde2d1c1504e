import { Failure } from '@rekey/lib/reason.ts';

const least = 4096;

/** Puts a body together, in a buffer that grows: a thousand small pieces would take far more than their bytes. */
export class Gathering {
  readonly #most: number;
  readonly #told: (whole: Buffer | Failure) => void;
  #bytes: Buffer = Buffer.alloc(0);
  #size = 0;

  constructor(most: number, told: (whole: Buffer | Failure) => void) {
    this.#most = most;
    this.#told = told;
  }

  /** False when that is too much. */
  add(piece: Buffer): boolean {
    const size = this.#size + piece.length;
    if (size > this.#most) {
      this.fail(new Failure('BodyTooLarge'));
      return false;
    }
    if (size > this.#bytes.length) this.#grow(size);
    piece.copy(this.#bytes, this.#size);
    this.#size = size;
    return true;
  }

  end(): void {
    this.#told(this.#bytes.subarray(0, this.#size));
  }

  fail(failure: Failure): void {
    this.#told(failure);
  }

  #grow(size: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.min(this.#most, Math.max(least, size, 2 * this.#bytes.length)));
    this.#bytes.copy(bytes, 0, 0, this.#size);
    this.#bytes = bytes;
  }
}
