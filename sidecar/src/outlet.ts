import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Due, Turn } from './turn.ts';

const packBytes = 64 * 1024;
const mostSpare = 16;

/** Buffers that are used again and again: memory outside of the heap that comes and goes makes the garbage collector run all the time. */
const spare: Buffer[] = [];

const take = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(packBytes);
const giveBack = (pack: Buffer): void => void (spare.length < mostSpare && spare.push(pack));

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
    if (!this.#isWriting && this.#packs.length > 0) this.#send();
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
    while (this.#packs.length > 0) this.#socket.write(this.#unpack());
  }

  #send(): void {
    this.#isWriting = true;
    const last = this.#packs.length === 1;
    const bytes = this.#unpack();
    this.#socket.write(bytes, this.#wrote);
    if (this.#encrypts) giveBack(Buffer.from(bytes.buffer));
    if (last) this.#drained();
  }

  readonly #wrote = (): void => {
    this.#isWriting = false;
    if (this.#packs.length > 0) this.#send();
  };

  #drained(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#onDrained();
  }

  #pack(bytes: Buffer): void {
    for (let from = 0; from < bytes.length;) {
      let pack = this.#packs.at(-1);
      if (pack === undefined || this.#filled === packBytes) {
        if (pack !== undefined && !this.#isWriting) this.#send();
        pack = take();
        this.#packs.push(pack);
        this.#filled = 0;
      }
      const copied = bytes.copy(pack, this.#filled, from);
      this.#filled += copied;
      from += copied;
    }
  }

  /** The first pack, as far as it is filled. */
  #unpack(): Buffer {
    const pack = this.#packs.shift() ?? Buffer.alloc(0);
    return this.#packs.length === 0 ? pack.subarray(0, this.#filled) : pack;
  }
}
