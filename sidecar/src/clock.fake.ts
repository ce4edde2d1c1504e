import type { Clock } from './clock.ts';

/** A clock that a test turns by hand. */
export interface FakeClock extends Clock {
  /** Moves on, running each timer at its time and letting what it began settle. */
  pass(milliseconds: number): Promise<void>;
  /** Timers that are set. */
  pending(): number;
}

export function fakeClock(): FakeClock {
  let now = 1_000_000;
  let timers: { at: number; task: () => void }[] = [];
  return {
    now: () => now,
    after(milliseconds, task) {
      const timer = { at: now + milliseconds, task };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async pass(milliseconds) {
      const end = now + milliseconds;
      await settle();
      for (let next = earliest(timers, end); next !== undefined; next = earliest(timers, end)) {
        const due = next;
        timers = timers.filter((timer) => timer !== due);
        now = Math.max(now, due.at);
        due.task();
        await settle();
      }
      now = end;
      await settle();
    },
    pending: () => timers.length,
  };
}

function earliest(timers: readonly { at: number; task: () => void }[], end: number): { at: number; task: () => void } | undefined {
  return timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
}

/** Lets all that is ready run: promises, not timers. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
