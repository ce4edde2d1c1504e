import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Due, Turn } from '../turn.ts';

/** Buffers that are used again and again: memory outside of the heap that comes and goes makes the garbage collector run all the time. */
class Packs {
  readonly bytes: number;
  readonly #most: number;
  readonly #spare: Buffer[] = [];

  constructor(bytes: number, most: number) {
    this.bytes = bytes;
    this.#most = most;
  }

  take(): Buffer {
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.bytes);
  }

  giveBack(pack: Buffer): void {
    if (pack.length === this.bytes && this.#spare.length < this.#most) this.#spare.push(pack);
  }
}

const large = new Packs(64 * 1024, 16);
/** Most answers are this small, and a hundred of them may leave in one turn. */
const small = new Packs(8 * 1024, 128);

function giveBack(pack: Buffer): void {
  small.giveBack(pack);
  large.giveBack(pack);
}

/**
 * What goes out to a client. Takes views that are good only for the moment: they are packed, and a pack leaves in one write at the end of
 * the turn, or as soon as the write before it is done.
 */
export class Outlet implements Due {
  readonly #socket: Socket;
  readonly #turn: Turn;
  readonly #onDrained: () => void;
  /** TLS encrypts at once what is written. In clear the kernel may take a part, and the rest is read later. */
  readonly #encrypts: boolean;
  #isDue = false;
  #isWriting = false;
  readonly #packs: Buffer[] = [];
  /** Of the last pack. */
  #filled = 0;
  #isFull = false;

  constructor(socket: Socket, turn: Turn, onDrained: () => void) {
    this.#socket = socket;
    this.#turn = turn;
    this.#onDrained = onDrained;
    this.#encrypts = socket instanceof TLSSocket;
  }

  /** Whether all that was written has left. */
  get isEmpty(): boolean {
    return !this.#isWriting && this.#packs.length === 0;
  }

  /** False when enough waits already: go on when `onDrained` is called. */
  write(bytes: Buffer): boolean {
    this.#pack(bytes);
    if (!this.#isWriting && !this.#isDue) {
      this.#isDue = true;
      this.#turn.write(this);
    }
    this.#isFull ||= this.#packs.length > 1;
    return !this.#isFull;
  }

  endTurn(): void {
    this.#isDue = false;
    if (!this.#isWriting) this.#send();
  }

  /** Ends the connection behind what was written. */
  end(): void {
    this.#flush();
    this.#socket.end();
  }

  /** Ends the connection at once; what was written leaves as far as it can. */
  destroy(): void {
    this.#flush();
    this.#socket.destroy();
  }

  #flush(): void {
    for (let pack = this.#packs.shift(); pack !== undefined; pack = this.#packs.shift()) this.#socket.write(this.#filledOf(pack));
  }

  #send(): void {
    const pack = this.#packs.shift();
    if (pack === undefined) return;
    this.#isWriting = true;
    this.#socket.write(this.#filledOf(pack), this.#wrote);
    if (this.#encrypts) giveBack(pack);
    if (this.#packs.length === 0) this.#drained();
  }

  readonly #wrote = (): void => {
    this.#isWriting = false;
    this.#send();
  };

  #drained(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#onDrained();
  }

  #pack(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      const pack = this.#packFor(bytes.length - from);
      const copied = bytes.copy(pack, this.#filled, from);
      this.#filled += copied;
      from += copied;
    }
  }

  /** One with room; for all of it, or a large one. */
  #packFor(length: number): Buffer {
    const last = this.#packs.at(-1);
    if (last === undefined) return this.#begin(length <= small.bytes ? small : large);
    const room = last.length - this.#filled;
    if (length <= room || (room > 0 && last.length === large.bytes)) return last;
    if (last.length === small.bytes) return this.#grow(last);
    if (!this.#isWriting) this.#send();
    return this.#begin(large);
  }

  #begin(packs: Packs): Buffer {
    const pack = packs.take();
    this.#packs.push(pack);
    this.#filled = 0;
    return pack;
  }

  #grow(last: Buffer): Buffer {
    const pack = large.take();
    last.copy(pack, 0, 0, this.#filled);
    small.giveBack(last);
    this.#packs[this.#packs.length - 1] = pack;
    return pack;
  }

  /** Of the pack that was taken off: all of it, unless it was the last. */
  #filledOf(pack: Buffer): Buffer {
    return this.#packs.length === 0 ? pack.subarray(0, this.#filled) : pack;
  }
}
