import type { Trailers } from './chunked.ts';
import { Chunked } from './chunked.ts';
import type { Control } from './control.ts';

/** Finds the end of one body. */
export interface BodyReader {
  /** Reads on from there. The offset past the end of the body, or -1 when the body goes on. Throws Malformed. */
  read(bytes: Buffer, from: number): number;
  /** What of the bytes last read goes on to the other side; undefined when it is all of them, as they came. */
  readonly pieces: readonly Buffer[] | undefined;
}

class ByLength implements BodyReader {
  readonly pieces = undefined;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  read(bytes: Buffer, from: number): number {
    const there = bytes.length - from;
    if (there < this.#left) {
      this.#left -= there;
      return -1;
    }
    const end = from + this.#left;
    this.#left = 0;
    return end;
  }
}

/** A body that ends with its connection. */
export class UntilClose implements BodyReader {
  readonly pieces = undefined;

  read(): number {
    return -1;
  }
}

/** A request without a length has no body; undefined then (RFC 9112 section 6.3). Without `trailers` chunks give their data alone. */
export function requestBody({ length, chunked }: Control, trailers: Trailers | undefined): BodyReader | undefined {
  if (chunked) return new Chunked(trailers);
  return length > 0 ? new ByLength(length) : undefined;
}

/** A response without a length lasts as long as its connection; `bodiless` when its status or its request says that it has none. */
export function responseBody({ length, chunked }: Control, bodiless: boolean, trailers: Trailers): BodyReader {
  if (bodiless) return new ByLength(0);
  if (chunked) return new Chunked(trailers);
  return length < 0 ? new UntilClose() : new ByLength(length);
}
