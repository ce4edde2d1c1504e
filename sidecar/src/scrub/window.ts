/**
 * Replaces each of the needles in a stream of bytes, however the stream is cut. Holds back only what may be the beginning of a needle, so
 * that an event of a stream is not delayed unless its last bytes look like one.
 */
export class Window {
  readonly #needles: readonly Buffer[];
  readonly #replacement: (needle: Buffer) => string;
  #held: Buffer = Buffer.alloc(0);
  /** How often a needle was replaced. */
  count = 0;

  /** `needles`: longest first, none empty. */
  constructor(needles: readonly Buffer[], replacement: string | ((needle: Buffer) => string)) {
    this.#needles = needles;
    this.#replacement = typeof replacement === 'string' ? () => replacement : replacement;
  }

  /** What may go on of the bytes so far. */
  push(chunk: Uint8Array): Buffer {
    const bytes =
      this.#held.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([this.#held, chunk]);
    const parts: Buffer[] = [];
    const rest = this.#replace(bytes, parts, false);
    const kept = rest.length - this.#beginning(rest);
    parts.push(rest.subarray(0, kept));
    // A copy: the chunk's memory may be the socket's.
    this.#held = Buffer.from(rest.subarray(kept));
    return parts.length === 1 ? (parts[0] ?? rest) : Buffer.concat(parts);
  }

  /** The last of it: nothing follows that could make more of what was held back. */
  end(): Buffer {
    const parts: Buffer[] = [];
    parts.push(this.#replace(this.#held, parts, true));
    this.#held = Buffer.alloc(0);
    return Buffer.concat(parts);
  }

  /**
   * Puts everything up to the last needle into `parts`, and returns what follows it. While more may come, a needle waits that begins at
   * or after a place where a longer one may still become whole: so the cut of the stream makes no difference.
   */
  #replace(bytes: Buffer, parts: Buffer[], last: boolean): Buffer {
    let rest = bytes;
    for (;;) {
      const found = this.#next(rest);
      if (found === undefined || (!last && found.at >= rest.length - this.#beginning(rest))) return rest;
      parts.push(rest.subarray(0, found.at), Buffer.from(this.#replacement(found.needle), 'latin1'));
      rest = rest.subarray(found.at + found.needle.length);
      this.count += 1;
    }
  }

  #next(bytes: Buffer): { at: number; needle: Buffer } | undefined {
    let first: { at: number; needle: Buffer } | undefined;
    for (const needle of this.#needles) {
      const at = bytes.indexOf(needle);
      if (at >= 0 && (first === undefined || at < first.at)) first = { at, needle };
    }
    return first;
  }

  /** How many of the last bytes are the beginning of a needle: the most that are. */
  #beginning(bytes: Buffer): number {
    let most = 0;
    for (const needle of this.#needles) most = Math.max(most, beginningOf(needle, bytes));
    return most;
  }
}

function beginningOf(needle: Buffer, bytes: Buffer): number {
  let from = Math.max(0, bytes.length - needle.length + 1);
  const [first = 0] = needle;
  for (;;) {
    const at = bytes.indexOf(first, from);
    if (at < 0) return 0;
    if (needle.subarray(0, bytes.length - at).equals(bytes.subarray(at))) return bytes.length - at;
    from = at + 1;
  }
}
