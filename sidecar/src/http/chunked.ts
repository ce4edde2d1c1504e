import { Malformed } from './malformed.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const semicolon = 0x3b;

/** 13 hexadecimal digits are exact in a double, and more than any body. */
const mostDigits = 13;
const mostExtension = 1024;
const mostTrailers = 8 * 1024;

const inSize = 0;
const inExtension = 1;
const afterSize = 2;
const inData = 3;
const afterData = 4;
const afterDataCR = 5;
const inTrailers = 6;

/** Makes of the trailer fields (lines with their CRLF) those that go on. */
export type Trailers = (lines: string) => string;

/**
 * Finds the end of a chunked body (RFC 9112 section 7.1), and what of it goes on: the chunks as they came, without their extensions, with
 * the trailers that `trailers` lets pass; or, without `trailers`, the data alone. Bytes are handed on as views, not as copies.
 */
export class Chunked {
  /** What of the bytes last read goes on; undefined when it is all of them. */
  pieces: Buffer[] | undefined;
  readonly #trailers: Trailers | undefined;
  #state = inSize;
  #size = 0;
  #count = 0;
  #lines = '';
  /** Where in the bytes that are being read begins what was not handed on yet; -1 while what is read is dropped. */
  #from = 0;

  constructor(trailers: Trailers | undefined) {
    this.#trailers = trailers;
  }

  /** Reads on. The offset past the end of the body, or -1 when the body goes on. Throws Malformed. */
  read(bytes: Buffer, from: number): number {
    this.#begin(from);
    for (let at = from; at < bytes.length;) {
      if (this.#state === inTrailers) {
        const end = this.#isEmptyTrailer(bytes, at) ? at + 2 : this.#trailer(bytes, at);
        if (end >= 0 && this.pieces !== undefined) this.#cut(bytes, end);
        return end;
      }
      if (this.#state === inData) at = this.#data(bytes, at);
      else {
        this.#byte(bytes, at);
        at += 1;
      }
    }
    if (this.pieces !== undefined) this.#cut(bytes, bytes.length);
    return -1;
  }

  #begin(from: number): void {
    const isDropping = this.#trailers === undefined || this.#state === inExtension || this.#state === inTrailers;
    this.pieces = isDropping ? [] : undefined;
    this.#from = isDropping ? -1 : from;
  }

  #data(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#size);
    this.#size -= end - at;
    if (this.#size === 0) this.#state = afterData;
    if (this.#trailers === undefined) this.pieces?.push(bytes.subarray(at, end));
    return end;
  }

  #byte(bytes: Buffer, at: number): void {
    const code = bytes[at] ?? 0;
    switch (this.#state) {
      case inSize:
        return this.#sizeByte(bytes, at, code);
      case inExtension:
        return this.#extensionByte(at, code);
      case afterSize:
        expect(code, lineFeed);
        this.#count = 0;
        this.#state = this.#size === 0 ? inTrailers : inData;
        if (this.#state === inTrailers) this.#lines = '';
        return;
      case afterData:
        expect(code, carriageReturn);
        this.#state = afterDataCR;
        return;
      default:
        expect(code, lineFeed);
        this.#state = inSize;
    }
  }

  #sizeByte(bytes: Buffer, at: number, code: number): void {
    const digit = digitOf(code);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      this.#count += 1;
      if (this.#count > mostDigits) throw new Malformed('a chunk is too large');
      return;
    }
    if (this.#count === 0 || (code !== carriageReturn && code !== semicolon)) throw new Malformed('a chunk has no size');
    this.#count = 0;
    this.#state = code === semicolon ? inExtension : afterSize;
    if (code === semicolon && this.#trailers !== undefined) this.#cut(bytes, at);
  }

  /** Extensions are for the next hop alone, and nobody reads them. */
  #extensionByte(at: number, code: number): void {
    this.#count += 1;
    if (code === carriageReturn) {
      this.#count = 0;
      this.#state = afterSize;
      if (this.#trailers !== undefined) this.#from = at;
      return;
    }
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || this.#count > mostExtension)
      throw new Malformed('a chunk extension is too long, or holds a control character');
  }

  /** The usual one, which goes on as it came. */
  #isEmptyTrailer(bytes: Buffer, at: number): boolean {
    return this.#lines === '' && this.#from >= 0 && bytes[at] === carriageReturn && bytes[at + 1] === lineFeed;
  }

  /** The offset past the end of the trailer section, or -1. */
  #trailer(bytes: Buffer, from: number): number {
    this.#cut(bytes, from);
    const before = this.#lines.length;
    this.#lines += bytes.toString('latin1', from, Math.min(bytes.length, from + mostTrailers + 1 - before));
    const end = endOfTrailers(this.#lines);
    if (end < 0 && this.#lines.length > mostTrailers) throw new Malformed('the trailers are too large', 431);
    if (end < 0) return -1;
    const lines = this.#lines.slice(0, end - 2);
    if (this.#trailers !== undefined) this.pieces?.push(Buffer.from(`${this.#trailers(lines)}\r\n`, 'latin1'));
    return from + end - before;
  }

  /** Hands on what was not yet, up to `end`; what follows is dropped until `#from` is set again. */
  #cut(bytes: Buffer, end: number): void {
    this.pieces ??= [];
    if (this.#from >= 0 && end > this.#from) this.pieces.push(bytes.subarray(this.#from, end));
    this.#from = -1;
  }
}

/** Past the empty line that ends them. */
function endOfTrailers(lines: string): number {
  if (lines.startsWith('\r\n')) return 2;
  const at = lines.indexOf('\r\n\r\n');
  return at < 0 ? -1 : at + 4;
}

function expect(code: number, wanted: number): void {
  if (code !== wanted) throw new Malformed('a chunk does not end where its size says');
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
