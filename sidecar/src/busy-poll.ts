import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Clock } from './clock.ts';
import { processClock } from './clock.ts';
import { readIfThere } from './file.ts';

/** As long as Linux has a virtual CPU poll before it halts (guest_halt_poll_ns, Documentation/virt/guest-halt-polling.rst). */
const patience = 0.2;
/** So many in a row have come within `patience`, and for a call that was alone, before the next one is waited for awake. */
const enough = 16;

/** The process's own, but for tests. */
export interface Loop extends Pick<Clock, 'now'> {
  /** Runs the task once the event loop has looked for input, without sleeping before. */
  look: (task: () => void) => void;
  /** Whether CPU that is spent on waiting is missed by nobody. Asked once. */
  hasSpare: () => boolean;
}

const processLoop: Loop = {
  now: () => processClock.now(),
  look: (task) => void setImmediate(task),
  hasSpare: () => cpus().length > 1 && isUnlimited('/sys/fs/cgroup'),
};

/** Where a container finds its limit of CPU, and how that file begins without one (Linux: cgroup-v2.rst, cpu.max; sched-bwc.rst, cpu.cfs_quota_us). */
const limits = [
  { file: 'cpu.max', none: 'max' },
  { file: 'cpu/cpu.cfs_quota_us', none: '-1' },
];

/**
 * Whether the container may use as much CPU as there is: under a limit, what waiting took is held against the calls that come next. What cannot
 * be read may be a limit.
 */
export function isUnlimited(folder: string): boolean {
  try {
    return limits.every(({ file, none }) => readIfThere(join(folder, file))?.startsWith(none) ?? true);
  } catch {
    return false;
  }
}

/**
 * Busy polling: the event loop looks for input without sleeping when the next of it is as good as there. To fall asleep and to be woken takes a core
 * longer than all that the sidecar does for a call, twice a call (docs/adr/0019).
 *
 * It costs next to nothing where it does not help. Only what follows the 16 before it faster than 0.2 ms is waited for, and for 0.2 ms at
 * most: an upstream that takes a millisecond to answer is never waited for in this way. There is no polling on a machine with a single CPU, where
 * nobody else could run meanwhile, nor under a limit of CPU.
 */
export class BusyPoll {
  readonly #loop: Loop;
  /** Calls under way. With more than one there is something to do most of the time, and CPU matters more than the time of one. */
  readonly #calls: () => number;
  #last = Number.NEGATIVE_INFINITY;
  #quick = 0;
  #isPolling = false;
  /** Asked for when it matters first: a machine with many CPUs takes some time to tell. */
  #mayPoll: boolean | undefined;

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
    this.#mayPoll ??= this.#loop.hasSpare();
    if (!this.#mayPoll) return;
    this.#isPolling = true;
    this.#loop.look(this.#looked);
  }

  readonly #looked = (): void => {
    if (this.#calls() <= 1 && this.#loop.now() - this.#last <= patience) this.#loop.look(this.#looked);
    else this.#isPolling = false;
  };
}
