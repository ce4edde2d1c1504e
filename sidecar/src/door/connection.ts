import type { Socket } from 'node:net';
import { Failure } from '@rekey/lib/reason.ts';
import type { OwnAnswer } from '../call/answer.ts';
import { answerFor, bytesOf } from '../call/answer.ts';
import type { Entrance } from '../entrance.ts';
import type { Means } from '../call/means.ts';
import { Call } from '../call/forward.ts';
import { check } from '../call/head.ts';
import type { Checked } from '../call/head.ts';
import type { BodyReader } from '../http/body-reader.ts';
import { findHead } from '../http/find-head.ts';
import { Malformed } from '../http/malformed.ts';
import type { RequestHead } from '../http/request-head.ts';
import { readRequestHead } from '../http/request-head.ts';
import type { Limit } from '../limits.ts';
import { Outlet } from '../upstream/outlet.ts';
import type { Client } from '../call/relay.ts';
import type { Table } from '../inject/rule.ts';
import { useOfNobody } from '../call/use.ts';

/** Bytes of further requests that are kept while a call runs. */
const mostAhead = 65_536;
/** So long a client may go on sending after the last answer: a connection that is closed on unread bytes takes the answer with it. */
export const lingerMilliseconds = 2000;
const nothing = Buffer.alloc(0);

/** Where connections belong. */
export interface House {
  means: Means;
  table: Table;
  /** Milliseconds of the monotonic clock. */
  now: () => number;
  isStopping: boolean;
  busy(connection: Connection): void;
  idle(connection: Connection): void;
  closed(connection: Connection): void;
}

/** One connection of a client: reads its requests one after the other, and lets one call run at a time. */
export class Connection implements Client {
  readonly #house: House;
  readonly #entrance: Entrance;
  readonly #socket: Socket;
  readonly #outlet: Outlet;
  /** When began what `overdue` is about. */
  #since: number;
  #call: Call | undefined;
  #method = '';
  /** Of a body that the client still owes. */
  #reader: BodyReader | undefined;
  /** What was read, and is not parsed yet. */
  #bytes: Buffer | undefined;
  /** A call was under way when they came. */
  #isAhead = false;
  /** Takes what comes, once it is no HTTP any more. */
  #through: ((bytes: Buffer) => void) | undefined;
  #isParsing = false;
  #isEnding = false;
  #hasCarried = false;

  constructor(socket: Socket, entrance: Entrance, house: House) {
    this.#socket = socket;
    this.#outlet = new Outlet(socket, house.means.turn, () => this.#call?.clientDrained());
    this.#entrance = entrance;
    this.#house = house;
    this.#since = house.now();
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    // A client that ends its side has gone: nobody waits for an answer with half a connection.
    socket.on('end', () => this.#call !== undefined && socket.destroy());
    socket.on('error', () => {}); // its close tells
    socket.on('close', () => this.#closed());
    house.idle(this);
  }

  /** A call, at any time. */
  get hasCarried(): boolean {
    return this.#hasCarried;
  }

  write(bytes: Buffer): boolean {
    return this.#outlet.write(bytes);
  }

  flow(on: boolean): void {
    this.#since = this.#house.now();
    if (on) this.#socket.resume();
    else this.#socket.pause();
  }

  fail(answer: OwnAnswer, close: boolean): void {
    this.#outlet.write(bytesOf(answer, close || this.#house.isStopping, this.#method));
    this.answered(close);
  }

  through(pass: (bytes: Buffer) => void): void {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    this.#through = pass;
    if (this.#socket.isPaused()) this.#socket.resume();
    if (bytes !== undefined) pass(bytes);
  }

  answered(close: boolean): void {
    this.#call = undefined;
    if (close || this.#house.isStopping) return this.#end();
    if (this.#reader === undefined) this.#ready();
  }

  destroy(): void {
    this.#call = undefined;
    this.#outlet.destroy();
  }

  /** Ends an idle one: at once, or behind what is still on its way of its last answer. */
  giveWay(): void {
    if (this.#outlet.isEmpty) this.destroy();
    else this.#end();
  }

  /** Ends it, unless a call runs. */
  endIfIdle(): void {
    if (this.#call === undefined) this.#end();
  }

  /** Ends it when the client has let a time pass. Which limit that was, or undefined. */
  endIfOverdue(now: number): Limit | undefined {
    const limit = this.#limit();
    const waited = now - this.#since;
    if (this.#isEnding && waited > lingerMilliseconds) this.#socket.destroy();
    if (limit === undefined || waited <= this.#house.means.limits[limit]) return undefined;
    if (limit === 'idleMilliseconds') this.#end();
    else if (this.#call === undefined) this.#refuse(new Failure('RequestTimeout'), undefined);
    else this.#call.abort(new Failure('RequestTimeout'));
    return limit;
  }

  /** What the client is to do next within a time; undefined when it is not its turn. */
  #limit(): 'idleMilliseconds' | 'headMilliseconds' | 'bodyMilliseconds' | undefined {
    if (this.#isEnding) return undefined;
    if (this.#reader !== undefined) return this.#socket.isPaused() ? undefined : 'bodyMilliseconds';
    if (this.#call !== undefined) return undefined;
    return this.#bytes === undefined ? 'idleMilliseconds' : 'headMilliseconds';
  }

  #read(bytes: Buffer): void {
    if (this.#isEnding) return;
    if (this.#reader !== undefined) return this.#body(this.#reader, bytes);
    if (this.#through !== undefined) return this.#through(bytes);
    if (this.#bytes === undefined) this.#since = this.#house.now();
    this.#bytes = this.#bytes === undefined ? bytes : Buffer.concat([this.#bytes, bytes]);
    if (this.#call === undefined) return this.#parse();
    this.#isAhead = true;
    if (this.#bytes.length > mostAhead) this.#socket.pause();
  }

  /** Begins calls as long as none is under way; one that fails at once ends within. */
  #parse(): void {
    if (this.#isParsing) return;
    this.#isParsing = true;
    while (this.#bytes !== undefined && this.#call === undefined && this.#reader === undefined && !this.#isEnding) {
      if (!this.#head(this.#bytes)) break;
    }
    this.#isParsing = false;
  }

  /** Whether there was a whole head. */
  #head(bytes: Buffer): boolean {
    let head: RequestHead | undefined;
    try {
      const found = findHead(bytes, this.#house.means.limits.headBytes);
      if (found === undefined) return false;
      this.#bytes = found.end === bytes.length ? undefined : bytes.subarray(found.end);
      head = readRequestHead(found.text);
      this.#begin(check(head, this.#entrance, this.#house.table));
    } catch (error) {
      this.#refuse(error, head);
    }
    return true;
  }

  #begin(checked: Checked): void {
    this.#house.busy(this);
    this.#hasCarried = true;
    this.#method = checked.head.method;
    const call = new Call(this.#house.means, this, checked);
    this.#call = call;
    this.#reader = call.reader;
    call.start();
    const bytes = this.#bytes;
    if (this.#reader === undefined || bytes === undefined) return;
    this.#bytes = undefined;
    this.#body(this.#reader, bytes);
  }

  #body(reader: BodyReader, bytes: Buffer): void {
    this.#since = this.#house.now();
    try {
      const end = reader.read(bytes, 0);
      const { pieces } = reader;
      if (end >= 0) this.#reader = undefined;
      if (end >= 0 && end < bytes.length) this.#bytes = bytes.subarray(end);
      if (pieces === undefined) return this.#upload(end < 0 ? bytes : bytes.subarray(0, end), end >= 0);
      for (const piece of pieces) this.#upload(piece, false);
      if (end >= 0) this.#upload(nothing, true);
    } catch (error) {
      if (this.#call === undefined) this.#end();
      else this.#call.abort(error);
    }
  }

  #upload(piece: Buffer, last: boolean): void {
    this.#call?.upload.read(piece, last);
    if (last && this.#call === undefined) this.#ready();
  }

  #ready(): void {
    this.#method = '';
    this.#since = this.#house.now();
    this.#house.idle(this);
    if (this.#socket.isPaused()) this.#socket.resume();
    this.#parse();
    if (this.#bytes === undefined) this.#isAhead = false;
  }

  /** A request that no call comes of: answered, counted and, where it is known what it wanted, audited; nobody knows what else the connection holds. */
  #refuse(error: unknown, head: RequestHead | undefined): void {
    const { metrics, audit } = this.#house.means;
    const answer = answerFor(error, 'RequestInvalid');
    metrics.error(answer.reason);
    if (answer.status === 431) metrics.limit('headBytes');
    metrics.counters('').add(answer.status, 0);
    if (head !== undefined) audit.add(useOfNobody(this.#entrance.host, head.method, head.target, answer));
    // What is no request behind another one is answered by the end alone: an answer could be taken for one to something else.
    const isGarbage = this.#isAhead && error instanceof Malformed;
    if (!isGarbage) this.#outlet.write(bytesOf(answer, true, head?.method));
    this.#end();
  }

  #end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#bytes = undefined;
    this.#reader = undefined;
    this.#since = this.#house.now();
    this.#outlet.end();
    this.#socket.resume();
  }

  #closed(): void {
    this.#call?.closed();
    this.#call = undefined;
    this.#house.closed(this);
  }
}
