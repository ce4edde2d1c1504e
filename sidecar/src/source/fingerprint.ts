import { scrypt } from 'node:crypto';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Reading } from './source.ts';

/**
 * RFC 7914 section 2: 2 MiB of memory and some 50 ms for each guess. As slow with 16 MiB (N 2^14, p 1) took 64 MB more of the sidecar after
 * four fingerprints, since each thread of libuv's pool keeps what it was given.
 */
const cost = { N: 2 ** 11, r: 8, p: 8 };

/**
 * A name for a value where the source has no versions: the same in every pod, and of no use for finding the value. It stands in
 * status and audit lines, so a plain hash would let whoever reads those try guesses by the billion. `salt` is what the value is the
 * value of, so that equal values at two places have two names. 12 hex digits.
 */
export function fingerprint(value: SecretValue, salt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const pair = value.user === undefined ? value.reveal() : `${value.user.reveal()}:${value.reveal()}`;
    scrypt(pair, `rekey.dev ${salt}`, 6, cost, (error, key) => {
      if (error === null) resolve(key.toString('hex'));
      else reject(error);
    });
  });
}

/** Readings of a source without versions. A fingerprint is slow on purpose, so that of the last value at each place is kept. */
export class Fingerprints {
  readonly #known = new Map<string, Reading>();

  /** The reading of `value` at `place`; as it was before when the value is the same. `createdAt` is when this pod first had it. */
  async reading(place: string, value: SecretValue, createdAt: Date): Promise<Reading> {
    const known = this.#known.get(place);
    if (known?.value.equals(value) === true) return known;
    const reading = { value, version: await fingerprint(value, place), createdAt };
    this.#known.set(place, reading);
    return reading;
  }

  forget(): void {
    this.#known.clear();
  }
}
