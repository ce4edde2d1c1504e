import type { Transform } from 'node:stream';
import { Failure } from '@rekey/lib/reason.ts';
import { endToEndLines } from '../http/hop.ts';
import { Chunked } from '../http/chunked.ts';
import { fieldOf, Names } from '../http/fields.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { isBodiless } from '../http/response-head.ts';
import type { Coding, Decoding } from './decoder.ts';
import { codingOf } from './decoder.ts';
import type { Reservation, Unpacking } from './unpacking.ts';
import { Window } from './window.ts';

/** What is replaced, and by what. */
export interface Wanted {
  needles: readonly Buffer[];
  /** Of each needle, or of all. */
  placeholder: string | ((needle: Buffer) => string);
}

/** What stands around the answer. */
export interface Around {
  /** Sends bytes to the client. False when it has enough: `drained` tells when it takes more. */
  write(bytes: Buffer): boolean;
  /** More of the body can be taken. */
  resume(): void;
  /** The body is not in the coding that its head says, or takes more memory than there is. */
  broken(problem: Failure | undefined): void;
  /** So many values were replaced. */
  replaced(count: number): void;
  unpacking: Pick<Unpacking, 'reserve' | 'unpacked'>;
}

const chunkEnd = Buffer.from('\r\n');

/** They speak of the body as it was: its length, its coding, its sums, and parts of it, in which a value could stand cut in two. */
const ofTheBody = new Names([
  'content-length',
  'content-encoding',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'accept-ranges',
]);

/**
 * An answer in which the value is replaced: its head at once, its body as it comes, decoded, in chunks of our own. Never holds more than
 * the beginning of a value, and what a decoder makes of one read: it makes no more before the client has taken that.
 */
export class Scrubbed {
  readonly #head: ResponseHead;
  readonly #wanted: Wanted;
  readonly #around: Around;
  readonly #bodiless: boolean;
  readonly #window: Window;
  readonly #chunks: Chunked | undefined;
  readonly #coding: Coding | undefined;
  #decoder: Transform | undefined;
  /** Its memory, from when the body's first bytes said how much that is. */
  #reservation: Reservation | undefined;
  /** What has come before it was there. */
  #held: Buffer = Buffer.alloc(0);
  #isRefused = false;
  /** The coding has come to its end; what follows in the body is none of it. */
  #isDecoded = false;
  #unpackedBytes = 0;
  /** Why the decoder rests. */
  #isFull = false;
  #isEarly = false;
  #told = 0;
  #done: (() => void) | undefined;

  /** Throws a Failure when the body cannot be searched. */
  constructor(head: ResponseHead, method: string, wanted: Wanted, around: Around) {
    this.#head = head;
    this.#wanted = wanted;
    this.#around = around;
    this.#bodiless = isBodiless(head, method);
    this.#window = new Window(wanted.needles, wanted.placeholder);
    this.#chunks = head.control.chunked ? new Chunked(undefined) : undefined;
    this.#coding = this.#bodiless ? undefined : codingOf(fieldOf(head.fields, 'content-encoding'));
  }

  /** The head for the client. */
  head(close: boolean): Buffer {
    const { status, phrase, fields, control } = this.#head;
    const lines = endToEndLines(fields, control.connection, (name) => !this.#bodiless && ofTheBody.has(name));
    const window = new Window(this.#wanted.needles, this.#wanted.placeholder);
    const text = Buffer.concat([window.push(Buffer.from(`${phrase ?? ''}\r\n${lines}`, 'latin1')), window.end()]);
    this.#around.replaced(window.count);
    const framing = this.#bodiless ? '' : 'Transfer-Encoding: chunked\r\n';
    return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} `), text, Buffer.from(`${framing}${close ? 'Connection: close\r\n' : ''}\r\n`)]);
  }

  /** More of the body, as it came. False when that is enough for now: `resume` or `drained` follows. */
  write(raw: Buffer): boolean {
    if (this.#bodiless || raw.length === 0) return true;
    let more = true;
    for (const data of this.#dataOf(raw)) more = this.#take(data) && more;
    return more;
  }

  /** The body is whole. `done` once all of it is out. */
  end(done: () => void): void {
    if (this.#done !== undefined) return;
    this.#done = done;
    if (this.#decoder !== undefined && !this.#isDecoded) this.#decoder.end();
    else if (this.#held.length > 0) this.#reserve(true);
    else if (!this.#isRefused) this.#last();
  }

  /** The client takes more. Whether more of the body can be taken: else `resume` follows. */
  drained(): boolean {
    this.#isFull = false;
    this.#unpack();
    return this.#takesMore;
  }

  destroy(): void {
    this.#decoder?.destroy();
    this.#reservation?.release();
  }

  get #takesMore(): boolean {
    if (this.#isDecoded) return true;
    const waits = this.#isRefused || (this.#reservation !== undefined && this.#decoder === undefined);
    return !waits && this.#decoder?.writableNeedDrain !== true;
  }

  #dataOf(raw: Buffer): readonly Buffer[] {
    if (this.#chunks === undefined) return [raw];
    this.#chunks.read(raw, 0);
    return this.#chunks.pieces ?? [];
  }

  #take(data: Buffer): boolean {
    if (this.#coding === undefined) return this.#send(this.#window.push(data));
    if (this.#isDecoded) return true;
    if (this.#decoder !== undefined) return this.#decoder.write(Buffer.from(data)); // a copy: it is read later
    this.#held = Buffer.concat([this.#held, data]);
    this.#reserve(false);
    return this.#takesMore;
  }

  /** Opens the decoder, now or when there is memory for it; `isAll` when nothing follows what is held. */
  #reserve(isAll: boolean): void {
    if (this.#reservation !== undefined || this.#isRefused) return;
    const decoding = this.#coding?.(this.#held, isAll);
    if (decoding === undefined) return;
    this.#reservation = this.#around.unpacking.reserve(decoding.bytes, () => {
      this.#open(decoding);
      if (this.#takesMore) this.#around.resume();
    });
    if (this.#reservation !== undefined) return;
    this.#isRefused = true;
    // Behind what has called: it is not done with the piece that this is about.
    setImmediate(() => this.#around.broken(new Failure('AnswerNotSearchable')));
  }

  #open(decoding: Decoding): void {
    const around = this.#around;
    this.#decoder = decoding
      .open()
      .on('data', (data: Buffer) => this.#unpacked(data))
      .on('drain', () => around.resume())
      .on('error', () => around.broken(undefined))
      .on('end', () => this.#decoded())
      .on('close', () => this.#reservation?.release());
    this.#decoder.write(this.#held);
    this.#held = Buffer.alloc(0);
    if (this.#done !== undefined) this.#decoder.end();
  }

  #decoded(): void {
    this.#isDecoded = true;
    this.#decoder?.destroy();
    if (this.#done === undefined) this.#around.resume();
    else this.#last();
  }

  #unpacked(data: Buffer): void {
    this.#isFull = !this.#send(this.#window.push(data));
    this.#isEarly = !this.#around.unpacking.unpacked(this.#unpackedBytes, data.length, () => {
      this.#isEarly = false;
      this.#unpack();
    });
    this.#unpackedBytes += data.length;
    if (this.#isFull || this.#isEarly) this.#decoder?.pause();
  }

  #unpack(): void {
    if (!this.#isFull && !this.#isEarly) this.#decoder?.resume();
  }

  #last(): void {
    if (!this.#bodiless) {
      this.#send(this.#window.end());
      this.#around.write(Buffer.from('0\r\n\r\n'));
    }
    this.#done?.();
  }

  #send(bytes: Buffer): boolean {
    if (this.#window.count > this.#told) this.#around.replaced(this.#window.count - this.#told);
    this.#told = this.#window.count;
    if (bytes.length === 0) return true;
    // Three writes cost less than a piece of memory for all three: what the client gets is gathered anyway.
    this.#around.write(Buffer.from(`${bytes.length.toString(16)}\r\n`));
    this.#around.write(bytes);
    return this.#around.write(chunkEnd);
  }
}
