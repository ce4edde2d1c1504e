import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { IncomingHttpHeaders } from 'node:http';

/** Bytes that look like nothing, and are the same for the same seed: xorshift, four bytes at a time. */
export function bytesOf(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed + 1) * 2_654_435_761;
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return Buffer.from(words.buffer, 0, length);
}

/** An event of an SSE stream. */
export const eventOf = (seed: number, index: number): string =>
  `id: ${index}\nevent: progress\ndata: ${bytesOf(seed * 1000 + index, 48).toString('base64')}\n\n`;

/** What is of one connection, of one moment, or the credential. */
const own = new Set(['authorization', 'connection', 'date', 'keep-alive', 'trailer']);

/** Takes in what a message is made of, and gives one word for it. */
export class Fingerprint {
  readonly #hash = createHash('sha256');

  fields(fields: IncomingHttpHeaders | NodeJS.Dict<string>): this {
    const lines = Object.entries(fields).filter(([name]) => !own.has(name));
    this.#hash.update(JSON.stringify(lines.toSorted(([one], [other]) => (one < other ? -1 : 1))));
    return this;
  }

  text(text: string): this {
    this.#hash.update(`${text.length} ${text}`);
    return this;
  }

  async body(body: Readable): Promise<this> {
    let bytes = 0;
    for await (const piece of body as AsyncIterable<Buffer>) {
      bytes += piece.length;
      this.#hash.update(piece);
    }
    return this.text(String(bytes));
  }

  get word(): string {
    return this.#hash.digest('hex');
  }
}

/** So many pieces of a seed, one whenever `next` is called; ends behind the last. */
export class Paced {
  readonly stream = new PassThrough({ highWaterMark: 1024 * 1024 });
  readonly #piece: (index: number) => string | Buffer;
  readonly #most: number;
  #index = 0;

  constructor(most: number, piece: (index: number) => string | Buffer) {
    this.#most = most;
    this.#piece = piece;
  }

  next(): void {
    if (this.#index === this.#most) return;
    this.stream.write(this.#piece(this.#index));
    this.#index += 1;
    if (this.#index === this.#most) this.stream.end();
  }
}

/** So many bytes without holding them: one piece again and again. */
export function repeated(piece: Buffer, times: number): Readable {
  let left = times;
  return new Readable({
    highWaterMark: piece.length,
    read() {
      left -= 1;
      this.push(left < 0 ? null : piece);
    },
  });
}
