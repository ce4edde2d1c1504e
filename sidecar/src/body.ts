import type { ClientRequest, IncomingMessage } from 'node:http';
import { trailersOf } from './hop.ts';

/** A body up to this size is kept while its call runs, so that the call can be replayed. */
export const mostKept = 256 * 1024;

/**
 * A request's body on its way to an upstream, or to a second one when the call is replayed: what was read so far is kept up to
 * `mostKept` and written again, the rest follows as it comes. Reads no faster than the upstream takes it.
 */
export class RequestBody {
  readonly #request: IncomingMessage;
  readonly #droppedTrailer: (name: string) => boolean;
  #kept: Buffer[] = [];
  #bytes = 0;
  #ended: boolean;
  #sink: ClientRequest | undefined;

  constructor(request: IncomingMessage, present: boolean, droppedTrailer: (name: string) => boolean) {
    this.#request = request;
    this.#droppedTrailer = droppedTrailer;
    this.#ended = !present;
    if (!present) return;
    request.on('data', (chunk: Buffer) => this.#read(chunk));
    request.on('end', () => this.#end());
    request.pause();
  }

  /** Whether all that was read is still there. */
  get replayable(): boolean {
    return this.#bytes <= mostKept;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Writes the body to this upstream, from its first byte. */
  attach(sink: ClientRequest): void {
    this.#sink = sink;
    for (const chunk of this.#kept) sink.write(chunk);
    if (this.#ended) this.#finish(sink);
    else this.#request.resume();
  }

  /** Stops reading until the next `attach`. */
  detach(): void {
    this.#sink = undefined;
    if (!this.#ended) this.#request.pause();
  }

  /** Reads what is left without keeping it: the answer is there, nobody needs the rest, and the connection is to be used again. */
  discard(): void {
    this.#sink = undefined;
    this.#drop();
    if (!this.#ended) this.#request.resume();
  }

  #read(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.replayable) this.#kept.push(chunk);
    else this.#drop();
    const sink = this.#sink;
    if (sink === undefined || sink.write(chunk)) return;
    this.#request.pause();
    sink.once('drain', () => {
      if (this.#sink === sink) this.#request.resume();
    });
  }

  #drop(): void {
    this.#kept = [];
    this.#bytes = mostKept + 1;
  }

  #end(): void {
    this.#ended = true;
    if (this.#sink !== undefined) this.#finish(this.#sink);
  }

  #finish(sink: ClientRequest): void {
    if (this.#request.rawTrailers.length > 0) sink.addTrailers(trailersOf(this.#request.rawTrailers, this.#droppedTrailer));
    sink.end();
  }
}
