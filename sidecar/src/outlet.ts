import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

const packBytes = 64 * 1024;
const mostSpare = 16;

/** Buffers that are used again and again: memory outside of the heap that comes and goes makes the garbage collector run all the time. */
const spare: Buffer[] = [];

const take = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(packBytes);
const giveBack = (pack: Buffer): void => void (spare.length < mostSpare && spare.push(pack));

/**
 * What goes out to a client. Takes views that are good only for the moment, without copying them where that can be: TLS encrypts at once
 * what is written while no other write is under way. What comes meanwhile is packed, and leaves in one write.
 */
export class Outlet {
  readonly #socket: Socket;
  readonly #onDrained: () => void;
  /** In clear the kernel may take a part, and the rest is read later. */
  readonly #encrypts: boolean;
  #isWriting = false;
  #packs: Buffer[] = [];
  /** Of the last pack. */
  #filled = 0;
  #isFull = false;

  constructor(socket: Socket, onDrained: () => void) {
    this.#socket = socket;
    this.#onDrained = onDrained;
    this.#encrypts = socket instanceof TLSSocket;
  }

  /** False when enough waits already: go on when `onDrained` is called. */
  write(bytes: Buffer): boolean {
    if (!this.#isWriting) {
      this.#isWriting = true;
      this.#socket.write(this.#encrypts ? bytes : Buffer.from(bytes), this.#wrote);
      return true;
    }
    this.#pack(bytes);
    this.#isFull ||= this.#packs.length > 1;
    return !this.#isFull;
  }

  /** Ends the connection behind what was written. */
  end(): void {
    while (this.#packs.length > 0) this.#socket.write(this.#unpack());
    this.#socket.end();
  }

  readonly #wrote = (): void => {
    this.#isWriting = this.#packs.length > 0;
    if (!this.#isWriting) return this.#drained();
    const last = this.#packs.length === 1;
    const bytes = this.#unpack();
    this.#socket.write(bytes, this.#wrote);
    if (this.#encrypts) giveBack(Buffer.from(bytes.buffer));
    if (last) this.#drained();
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
