import type { OwnAnswer } from './answer.ts';
import { allEndToEnd, endToEndLines } from '../http/hop.ts';
import { closes } from '../http/control.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { lastsUntilClose } from '../http/response-head.ts';
import type { Scrubbed } from '../scrub/scrubbed.ts';

/** Of a request for a WebSocket, and of the answer that it has begun. */
export const switching = 'Connection: Upgrade\r\nUpgrade: websocket';

/** The client's side of a call. */
export interface Client {
  /** Sends bytes of the answer. False when the socket has more than it can send: wait for `clientDrained`. */
  write(bytes: Buffer): boolean;
  /** Lets the bytes of the request's body come, or holds them. */
  flow(on: boolean): void;
  /** What comes from the client is no HTTP any more, and goes there. */
  through(pass: (bytes: Buffer) => void): void;
  /** The answer is out. `close`: the connection ends with it. */
  answered(close: boolean): void;
  /** Sends an answer of the sidecar itself, and that is all. */
  fail(answer: OwnAnswer, close: boolean): void;
  /** Ends the connection in the midst of an answer, so that nobody takes it for whole. */
  destroy(): void;
}

/** Hands an answer on: its head without what is of the connection to the upstream, its body as it comes. */
export class Reply {
  /** The final head is out: nothing else can be answered any more. */
  begun = false;
  readonly #client: Client;
  readonly #request: RequestHead;
  #close = false;
  #continued = false;
  #scrubbed: Scrubbed | undefined;

  constructor(client: Client, request: RequestHead) {
    this.#client = client;
    this.#request = request;
  }

  /** The client was told to send its body. */
  get continued(): boolean {
    return this.#continued;
  }

  /** Tells a client that waits for it to send its body. */
  proceed(): void {
    if (this.#request.control.expect === undefined || this.#continued) return;
    this.#continued = true;
    this.#client.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
  }

  /** An answer before the answer; 100 once, however often the call is sent. */
  inform(head: ResponseHead, raw: Buffer): void {
    if (head.status === 100) {
      if (this.#continued) return;
      this.#continued = true;
    }
    const text = relayedHead(head, false);
    this.#client.write(text === undefined ? raw : Buffer.from(text, 'latin1'));
  }

  /** From now on the answer goes through this. */
  scrub(scrubbed: Scrubbed): void {
    this.#scrubbed = scrubbed;
  }

  /** `raw` begins with the head. `unasked`: the client waits to be told to send its body, and nobody will. */
  begin(head: ResponseHead, raw: Buffer, unasked: boolean): boolean {
    this.begun = true;
    this.#close = unasked || closes(this.#request.control) || lastsUntilClose(head, this.#request.method);
    if (this.#scrubbed !== undefined) {
      this.#client.write(this.#scrubbed.head(this.#close));
      return this.#scrubbed.write(raw.subarray(head.size));
    }
    const text = relayedHead(head, this.#close);
    return this.#client.write(text === undefined ? raw : withHead(text, raw.subarray(head.size)));
  }

  write(piece: Buffer): boolean {
    if (this.#scrubbed !== undefined) return this.#scrubbed.write(piece);
    return piece.length === 0 || this.#client.write(piece);
  }

  /** The upstream has sent all of it. `done` once it is on its way to the client. */
  whole(done: () => void): void {
    if (this.#scrubbed === undefined) done();
    else this.#scrubbed.end(done);
  }

  /** Whether more of the answer can be taken. */
  drained(): boolean {
    return this.#scrubbed?.drained() ?? true;
  }

  /** Nothing more is wanted of it. */
  drop(): void {
    this.#scrubbed?.destroy();
  }

  end(): void {
    this.#client.answered(this.#close);
  }
}

/** The head of an answer as the client gets it, or undefined when that is the head as it came: then its bytes pass with those of the body. */
function relayedHead(head: ResponseHead, close: boolean): string | undefined {
  const { status, phrase, current, fields, control } = head;
  if (status === 101) return `HTTP/1.1 101 ${phrase ?? ''}\r\n${endToEndLines(fields, control.connection)}${switching}\r\n\r\n`;
  if (!close && current && phrase !== undefined && allEndToEnd(fields, control.connection)) return undefined;
  const framing = control.chunked ? 'Transfer-Encoding: chunked\r\n' : '';
  const closing = close ? 'Connection: close\r\n' : '';
  return `HTTP/1.1 ${status} ${phrase ?? ''}\r\n${endToEndLines(fields, control.connection)}${framing}${closing}\r\n`;
}

/** In one piece: each write costs a record of TLS. */
function withHead(head: string, rest: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + rest.length);
  bytes.write(head, 'latin1');
  rest.copy(bytes, head.length);
  return bytes;
}
