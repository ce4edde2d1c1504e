import { Failure } from '@rekey/lib/reason.ts';
import { Gathering } from './gathering.ts';
import type { UpstreamConnection } from '../upstream/upstream-connection.ts';

/** A body up to this size is kept while its call runs, so that the call can be replayed. */
export const mostKept = 256 * 1024;

/** What all calls together may keep. A body whose upload lasts gives way to those of new calls: its upstream has had the credential for longest. */
const mostKeptByAll = 4 * 1024 * 1024;
let keptByAll = 0;
/** The bodies that keep something, the one that began first before the others. */
const keepers = new Set<RequestBody>();

/**
 * A request's body on its way to an upstream, or to a second one when the call is replayed: what was read so far is kept up to
 * `mostKept` and written again, the rest follows as it comes. Reads no faster than the upstream takes it.
 */
export class RequestBody {
  readonly #flow: (on: boolean) => void;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #bytes = 0;
  #isDiscarded = false;
  #gathering: Gathering | undefined;
  #whole: Buffer | undefined;
  readonly isPresent: boolean;
  #ended: boolean;
  #sink: UpstreamConnection | undefined;

  /** `flow` lets the client's bytes come, or holds them. */
  constructor(present: boolean, flow: (on: boolean) => void) {
    this.isPresent = present;
    this.#ended = !present;
    this.#flow = flow;
  }

  /** Whether all that was read is still there. */
  get replayable(): boolean {
    return this.#bytes === this.#keptBytes && !this.#isDiscarded;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the client has begun to send it. */
  get begun(): boolean {
    return this.#bytes > 0;
  }

  /** Reads all of it before any of it is sent. `told` once: of the whole body, or why there is none. */
  gather(most: number, told: (whole: Buffer | Failure) => void): void {
    this.#gathering = new Gathering(most, (whole) => {
      if (!(whole instanceof Failure)) this.#whole = whole;
      told(whole);
    });
  }

  /** What was gathered, as long as it is kept. */
  get whole(): Buffer | undefined {
    return this.#whole;
  }

  /** What is sent in its stead. */
  replace(pieces: Buffer[]): void {
    const whole = this.#whole;
    this.forget();
    this.#whole = whole;
    this.#kept = pieces;
    this.#keptBytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#bytes = this.#keptBytes;
    keptByAll += this.#keptBytes;
    if (this.#keptBytes > 0) keepers.add(this);
  }

  /** Writes the body to this upstream, from its first byte. */
  attach(sink: UpstreamConnection): void {
    this.#sink = sink;
    for (const piece of this.#kept) sink.write(piece);
    if (this.#ended) sink.requested();
    else this.#flow(!sink.full);
  }

  /** Goes on where `detach` stopped, to the same upstream. */
  resume(sink: UpstreamConnection): void {
    this.#sink = sink;
    if (!this.#ended) this.#flow(!sink.full);
  }

  /** Stops reading until the next `attach` or `resume`. */
  detach(): void {
    this.#sink = undefined;
    if (!this.#ended) this.#flow(false);
  }

  /** Lets what is left come without keeping it: nobody needs the rest, and the connection is to be used again. */
  discard(): void {
    this.#sink = undefined;
    this.#isDiscarded = true;
    this.#gathering = undefined;
    this.forget();
    if (!this.#ended) this.#flow(true);
  }

  /** Gives the memory back. */
  forget(): void {
    keepers.delete(this);
    keptByAll -= this.#keptBytes;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#whole = undefined;
  }

  /** The upstream takes more. */
  drained(): void {
    if (!this.#ended && this.#sink !== undefined) this.#flow(true);
  }

  /** The next piece, or the last. A piece of no bytes may end it. */
  read(piece: Buffer, last: boolean): void {
    this.#ended = last;
    if (this.#isDiscarded) return;
    if (this.#gathering !== undefined) return this.#gather(this.#gathering, piece);
    const sink = this.#sink;
    this.#keep(piece, sink === undefined);
    if (sink !== undefined && piece.length > 0) sink.write(piece);
    if (last) sink?.requested();
    else if (sink === undefined || sink.full) this.#flow(false);
  }

  #gather(gathering: Gathering, piece: Buffer): void {
    if (!this.#hasRoom(piece.length)) {
      return gathering.fail(new Failure('CallLimitReached', 'too many bodies that jsonField looks into are under way'));
    }
    this.#bytes += piece.length;
    this.#keptBytes += piece.length;
    keptByAll += piece.length;
    if (!gathering.add(piece) || !this.#ended) return;
    this.#gathering = undefined;
    gathering.end();
  }

  /** What is not sent yet is kept in any case. */
  #keep(piece: Buffer, isUnsent: boolean): void {
    const whole = this.replayable;
    this.#bytes += piece.length;
    if (whole && (isUnsent || (this.#bytes <= mostKept && this.#hasRoom(piece.length)))) {
      keepers.add(this);
      this.#kept.push(piece);
      this.#keptBytes += piece.length;
      keptByAll += piece.length;
    } else if (this.#keptBytes > 0) this.forget();
  }

  /** Whether so much more may be kept, by taking it from others. One that is not being sent is needed still: its call may be replayed any moment. */
  #hasRoom(bytes: number): boolean {
    for (const body of keepers) {
      if (keptByAll + bytes <= mostKeptByAll) return true;
      if (body !== this && body.#sink !== undefined) body.forget();
    }
    return keptByAll + bytes <= mostKeptByAll;
  }
}
