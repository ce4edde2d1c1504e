import type { TLSSocket } from 'node:tls';
import { trailerLines } from '../http/hop.ts';
import type { BodyReader } from '../http/body-reader.ts';
import { UntilClose, responseBody } from '../http/body-reader.ts';
import { hasBareLineFeed } from '../http/find-head.ts';
import { Malformed } from '../http/malformed.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { isBodiless, persists, readResponseHead } from '../http/response-head.ts';
import type { Due, Turn } from '../turn.ts';

const headEnd = Buffer.from('\r\n\r\n');
const mostHeadBytes = 65_536;
const mostInformed = 16;
/** So long an upstream may take to read the last bytes of a client that has gone. */
const patience = 2000;
const nothing = Buffer.alloc(0);

/** Whom a connection tells of the answer to the request that it carries. All bytes are good until the call returns: copy what is to be kept. */
export interface Exchange {
  /** An answer before the answer (1xx), as it came. */
  informed(head: ResponseHead, raw: Buffer): void;
  /** Whether this 101 is what the request asked for: then it is an answer whose body lasts as long as the connection. */
  switches(head: ResponseHead): boolean;
  /** The answer begins: its head, and in `raw` the head's bytes with what came of the body. `last`: that is all of it. */
  answered(head: ResponseHead, raw: Buffer, last: boolean): void;
  /** More of the body. A piece of no bytes may be the last. */
  more(piece: Buffer, last: boolean): void;
  /** More of the request can be written. */
  drained(): void;
  /** The connection ended before the answer did. `untaken`: not one byte of the request has left this machine. */
  lost(error: Error | undefined, untaken: boolean): void;
}

/** Where connections go between two requests. */
export interface Home {
  idle(connection: UpstreamConnection): void;
  closed(connection: UpstreamConnection): void;
}

/** One verified connection to an upstream: carries one request at a time, finds the ends of its answers, and passes their bytes on. */
export class UpstreamConnection implements Due {
  /** It has carried a request before: then the other side may have ended it without our knowing. */
  reused = false;
  /** For how many seconds the other side keeps it idle, where it said so. */
  kept: number | undefined;
  /** Since when it is idle; of the pool. */
  idleSince = 0;
  readonly #socket: TLSSocket;
  readonly #home: Home;
  readonly #turn: Turn;
  #isDue = false;
  #exchange: Exchange | undefined;
  #method = '';
  /** Of the request; until it is written with what else has come in its turn. As long as it is here, not one byte of the request has left. */
  #head: string | undefined;
  #reader: BodyReader | undefined;
  #persists = true;
  #bytes: Buffer | undefined;
  #informed = 0;
  #requested = false;
  #taken = false;
  #isPaused = false;
  #error: Error | undefined;

  constructor(socket: TLSSocket, home: Home, turn: Turn) {
    this.#socket = socket;
    this.#home = home;
    this.#turn = turn;
    socket.on('end', () => this.#ended());
    socket.on('drain', () => this.#exchange?.drained());
    socket.on('error', (error: Error) => (this.#error = error));
    socket.on('close', () => this.#closed());
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  /** Whether the socket has more than it can send: wait for `drained`. */
  get full(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Writes a request's head, which leaves with `send`. Its body follows by `write`, its end is told by `requested`. */
  begin(exchange: Exchange, method: string, head: string): void {
    this.#exchange = exchange;
    this.#method = method;
    this.#requested = false;
    this.#taken = false;
    this.#informed = 0;
    this.#head = head;
  }

  /** What is written in one turn leaves in one piece. */
  write(piece: Buffer): void {
    if (this.#socket.writableCorked === 0) this.#socket.cork();
    this.#writeHead();
    this.#socket.write(piece);
    this.send();
  }

  /** What was written leaves with all others of this turn. */
  send(): void {
    if (this.#isDue || (this.#head === undefined && this.#socket.writableCorked === 0)) return;
    this.#isDue = true;
    this.#turn.write(this);
  }

  requested(): void {
    this.#requested = true;
  }

  /** What is decrypted already still comes. */
  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** The answer goes to this one from now on. */
  handOver(exchange: Exchange): void {
    this.#exchange = exchange;
    this.resume();
  }

  /** Whatever it carries ends, and nobody is told. */
  destroy(): void {
    this.#exchange = undefined;
    this.#socket.destroy();
  }

  /** Sends what was written, and ends it; nobody is told. */
  finish(): void {
    this.#exchange = undefined;
    this.#writeHead();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), patience).unref();
  }

  endTurn(): void {
    this.#isDue = false;
    this.#writeHead();
    this.#socket.uncork();
  }

  #writeHead(): void {
    const head = this.#head;
    if (head === undefined || !this.isOpen) return;
    this.#head = undefined;
    this.#socket.write(head, 'latin1', this.#took);
  }

  readonly #took = (error?: Error | null): void => {
    if (error === undefined || error === null) this.#taken = true;
  };

  /** Bytes have come, in a buffer that is used again. */
  read(bytes: Buffer): void {
    if (this.#exchange === undefined || this.#head !== undefined) return void this.#socket.destroy(); // nobody asked, or not yet
    try {
      if (this.#reader === undefined) this.#heads(this.#bytes === undefined ? bytes : Buffer.concat([this.#bytes, bytes]));
      else this.#body(this.#reader, bytes, 0);
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Malformed('the answer is not HTTP/1.1'));
    }
  }

  #heads(bytes: Buffer): void {
    this.#bytes = undefined;
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf(headEnd, at);
      if (end < 0 ? bytes.length - at > mostHeadBytes : end - at > mostHeadBytes) throw new Malformed('the head is too large');
      if (end < 0 && hasBareLineFeed(bytes.subarray(at))) throw new Malformed('a line of the head ends in a bare line feed');
      if (end < 0) return void (this.#bytes = Buffer.from(bytes.subarray(at)));
      const head = readResponseHead(bytes.toString('latin1', at, end + 2));
      if (head.status >= 200 || this.#switches(head)) return this.#answer(head, bytes, at);
      this.#inform(head, bytes.subarray(at, end + 4));
      at = end + 4;
    }
  }

  #switches(head: ResponseHead): boolean {
    return head.status === 101 && this.#exchange?.switches(head) === true;
  }

  #inform(head: ResponseHead, raw: Buffer): void {
    this.#informed += 1;
    if (head.status === 101 || !head.current || this.#informed > mostInformed) throw new Malformed('an answer that nobody asked for');
    this.#exchange?.informed(head, raw);
  }

  #answer(head: ResponseHead, bytes: Buffer, at: number): void {
    const bodyAt = at + head.size;
    const reader = responseBody(head.control, isBodiless(head, this.#method), trailerLines);
    this.#persists = persists(head) && !(reader instanceof UntilClose);
    this.kept = head.control.kept;
    const end = reader.read(bytes, bodyAt);
    if (reader.pieces === undefined && end >= 0) return this.#last(bytes, end)?.answered(head, bytes.subarray(at, end), true);
    this.#reader = reader;
    this.#exchange?.answered(head, bytes.subarray(at, reader.pieces === undefined ? bytes.length : bodyAt), false);
    if (reader.pieces !== undefined) this.#pass(reader.pieces, bytes, end);
  }

  #body(reader: BodyReader, bytes: Buffer, from: number): void {
    const end = reader.read(bytes, from);
    if (reader.pieces !== undefined) return this.#pass(reader.pieces, bytes, end);
    if (end < 0) return this.#exchange?.more(bytes, false);
    this.#last(bytes, end)?.more(end === bytes.length ? bytes : bytes.subarray(0, end), true);
  }

  #pass(pieces: readonly Buffer[], bytes: Buffer, end: number): void {
    for (const piece of pieces) this.#exchange?.more(piece, false);
    if (end >= 0) this.#last(bytes, end)?.more(nothing, true);
  }

  /** The answer ends in these bytes: the connection is free before anybody is told, so that whoever is told can use it at once. */
  #last(bytes: Buffer, end: number): Exchange | undefined {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#reader = undefined;
    this.reused = true;
    this.resume();
    // Bytes beyond the answer are of nobody; an answer to half a request ends both.
    if (this.#persists && this.#requested && end === bytes.length && this.isOpen) this.#home.idle(this);
    else this.#socket.destroy();
    return exchange;
  }

  #ended(): void {
    if (!(this.#reader instanceof UntilClose)) return;
    this.#persists = false;
    this.#last(nothing, 0)?.more(nothing, true);
  }

  #closed(): void {
    this.#home.closed(this);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.lost(this.#error, this.#head !== undefined || isUntaken(this.#error, this.#taken));
  }
}

/** The kernel refused the very first write: it had heard from the other side that nothing is read any more. */
function isUntaken(error: NodeJS.ErrnoException | undefined, taken: boolean): boolean {
  return !taken && error?.syscall === 'write';
}
