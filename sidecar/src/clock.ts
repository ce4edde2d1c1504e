/** Time as the sidecar's parts see it. Tests turn it by hand. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** Runs the task once, after so many milliseconds; the answer cancels it. */
  after(milliseconds: number, task: () => void): () => void;
}

/** The process's own clock. Its timers never keep the process alive. */
export const processClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
