import { cpus } from 'node:os';

/** As long as Linux has a virtual CPU poll before it halts (guest_halt_poll_ns, Documentation/virt/guest-halt-polling.rst). */
const patience = 0.2;
/** So many in a row have come within `patience`, and for a call that was alone, before the next one is waited for awake. */
const enough = 16;

/** The process's own, but for tests. */
export interface Loop {
  /** Milliseconds of a clock that only goes forward. */
  now: () => number;
  /** Runs the task once the event loop has looked for input, without sleeping before. */
  look: (task: () => void) => void;
  /** Of the machine. */
  cpus: () => number;
}

const processLoop: Loop = { now: () => performance.now(), look: (task) => void setImmediate(task), cpus: () => cpus().length };

/**
 * Busy polling: the event loop looks for input without sleeping when the next of it is as good as there. To fall asleep and to be woken takes a core
 * longer than all that the sidecar does for a call, twice a call (docs/adr/0019).
 *
 * It costs next to nothing where it does not help. Only what follows the 16 before it faster than 0.2 ms is waited for, and for 0.2 ms at
 * most: an upstream that takes a millisecond to answer is never waited for in this way. On a machine with a single CPU there is no polling: nobody
 * else could run meanwhile.
 */
export class BusyPoll {
  readonly #loop: Loop;
  /** Calls under way. With more than one there is something to do most of the time, and CPU matters more than the time of one. */
  readonly #calls: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #quick = 0;
  #isPolling = false;
  /** Asked for when it matters first: a machine with many takes some time to tell. */
  #others: boolean | undefined;

  constructor(calls: () => number, loop = processLoop) {
    this.#calls = calls;
    this.#loop = loop;
  }

  /** Something came that a call was waiting for, or a call itself. */
  came(): void {
    const now = this.#loop.now();
    this.#quick = now - this.#last <= patience && this.#calls() <= 1 ? this.#quick + 1 : 0;
    this.#last = now;
    if (this.#isPolling || this.#quick < enough) return;
    this.#others ??= this.#loop.cpus() > 1;
    if (!this.#others) return;
    this.#isPolling = true;
    this.#loop.look(this.#looked);
  }

  readonly #looked = (): void => {
    if (this.#calls() <= 1 && this.#loop.now() - this.#last <= patience) this.#loop.look(this.#looked);
    else this.#isPolling = false;
  };
}
