/** Two clocks, since each of them is wrong at times: one is set by hand, the other stands still while the machine is suspended. In milliseconds. */
export interface Clock {
  wall: () => number;
  monotonic: () => number;
}

export const systemClock: Clock = { wall: () => Date.now(), monotonic: () => performance.now() };

/** A moment on both clocks. */
export interface Moment {
  wall: number;
  monotonic: number;
}

export function momentOf({ wall, monotonic }: Clock): Moment {
  return { wall: wall(), monotonic: monotonic() };
}

/** The most that may have passed: who must not go on for too long asks this. A clock that was set forward costs one look more. */
export function mostSince(moment: Moment, clock: Clock): number {
  return Math.max(clock.wall() - moment.wall, clock.monotonic() - moment.monotonic);
}

/** What has passed for certain: who must not begin too early asks this, and a clock that was set forward takes no Lease from a living leader. */
export function certainlySince(moment: Moment, clock: Clock): number {
  return clock.monotonic() - moment.monotonic;
}
