import type { ResponseHead } from '../http/response-head.ts';
import { mostRead } from '../inject/refused.ts';
import type { Uses } from '../inject/uses.ts';

/** An answer of which it is known whether it refuses a credential. `pieces` is what has come of it, the first with its head. */
export interface Judged {
  head: ResponseHead;
  pieces: readonly Buffer[];
  refused: boolean;
}

/** Says of an answer whether it refuses a credential, and holds it back while only its body can tell. */
export class Judge {
  readonly #uses: Uses;
  #head: ResponseHead | undefined;
  /** Copies: a connection's bytes are good for the moment only. */
  #held: Buffer[] | undefined;
  /** Of the body. */
  #bytes = 0;

  constructor(uses: Uses) {
    this.#uses = uses;
  }

  /** An answer has begun that is not told of again until `reset`. */
  get hasBegun(): boolean {
    return this.#head !== undefined;
  }

  /** Undefined while it is not known. `raw` begins with the head. */
  answered(head: ResponseHead, raw: Buffer, last: boolean): Judged | undefined {
    this.#head = head;
    if (!this.#uses.carries) return { head, pieces: [raw], refused: false };
    const verdict = this.#uses.verdict(head);
    if (verdict === 'accepted') return { head, pieces: [raw], refused: false };
    if (verdict === 'refused') return { head, pieces: [raw], refused: this.#uses.decide(head, undefined) };
    this.#held = [Buffer.from(raw)];
    this.#bytes = raw.length - head.size;
    return this.#decide(head, this.#held, last);
  }

  /** Holds more of an answer. False when none is held: then this piece goes on as it is. */
  holds(piece: Buffer): boolean {
    if (this.#held === undefined) return false;
    this.#held.push(Buffer.from(piece));
    this.#bytes += piece.length;
    return true;
  }

  /** What is known of the answer that is held. `last`: all of it has come. */
  look(last: boolean): Judged | undefined {
    return this.#head === undefined || this.#held === undefined ? undefined : this.#decide(this.#head, this.#held, last);
  }

  /** Goes on holding what has come of a judged answer: what becomes of it takes a while. */
  keep({ pieces }: Judged): void {
    this.#held ??= pieces.map((piece) => Buffer.from(piece));
  }

  /** Gives back what it holds: it goes on, and so does what follows. */
  release(): readonly Buffer[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    return held;
  }

  /** The answer is of no use. */
  reset(): void {
    this.#head = undefined;
    this.#held = undefined;
  }

  /** The body is read to its end, or until there is too much of it to say that a credential is refused. */
  #decide(head: ResponseHead, pieces: readonly Buffer[], last: boolean): Judged | undefined {
    if (!last && this.#bytes <= mostRead) return undefined;
    const [first = Buffer.alloc(0), ...rest] = pieces;
    const body = last ? [first.subarray(head.size), ...rest] : undefined;
    return { head, pieces, refused: this.#uses.decide(head, body) };
  }
}
