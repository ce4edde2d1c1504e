/**
 * How long to wait before attempt `attempt` (0 = the first retry), in milliseconds: full jitter between 0 and
 * `base * 2^attempt`, at most `cap`. Full jitter spreads a thousand clients that failed in the same moment
 * (Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
 */
export function backoff(attempt: number, random: () => number = Math.random, base = 1000, cap = 20_000): number {
  return random() * Math.min(cap, base * 2 ** Math.min(attempt, 30));
}

/** Resolves after `milliseconds`, or at once when the signal aborts; it never rejects and never keeps the process alive. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    timer.unref();
    signal?.addEventListener('abort', done, { once: true });
  });
}
