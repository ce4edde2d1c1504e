/** Upper bounds in seconds: of what lasts as long as an upstream or a source takes. */
export const remote: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Of what the sidecar adds: a tenth of a millisecond when all is at hand, a source's time when it must be asked. */
export const added: readonly number[] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

/** How many times fell under which bound. All is there from the beginning: to observe one makes nothing, and takes some nanoseconds. */
export class Histogram {
  readonly bounds: readonly number[];
  /** Not cumulative; one more than `bounds`, for everything above them. */
  readonly counts: Float64Array;
  seconds = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(seconds: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && seconds > (bounds[at] ?? 0)) at += 1;
    counts[at] = (counts[at] ?? 0) + 1;
    this.seconds += seconds;
  }
}
