import { backoff } from '@rekey/lib/backoff.ts';
import { systemClock } from '../clock.ts';

/** A key that must run soon runs at once; what only counts pods may wait a moment, so that many reports make one write. */
export type Lane = 'urgent' | 'paced';

export interface QueueOptions {
  /** Brings one key to what it should be. Resolves with the milliseconds after which to look again, if any. */
  reconcile: (key: string) => Promise<number | undefined>;
  /** `attempt` counts the failures in a row of this key, from 0. */
  onError: (key: string, error: unknown, attempt: number) => void;
  signal: AbortSignal;
  concurrency?: number;
  /** Between two paced runs of all keys together. */
  gapMilliseconds?: number;
  /** Between two paced runs of one key. */
  spacingMilliseconds?: number;
  /** The same while `yields` says that others need the room to write more. */
  yieldingMilliseconds?: number;
  yields?: () => boolean;
  /** Milliseconds until a paced run may write. */
  room?: () => number;
  random?: () => number;
  /** Of a clock that is never set. */
  now?: () => number;
}

const defaults = {
  concurrency: 4,
  gapMilliseconds: 50,
  spacingMilliseconds: 200,
  yieldingMilliseconds: 20_000,
  yields: () => false,
  room: () => 0,
  random: Math.random,
  now: systemClock.monotonic,
};
/** Reports come in bursts: the first of one waits for its neighbours. */
const gatherMilliseconds = 50;
/** How often it is looked whether what yields may go on. */
const lookMilliseconds = 200;

/**
 * A queue of keys. A key waits in it once, however often it is added, and never runs twice at the same time; added while it
 * runs, it runs once more. A failure is tried again with backoff.
 */
export class Queue {
  readonly #options: Required<QueueOptions>;
  readonly #urgent = new Set<string>();
  readonly #paced = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys that were added while they ran. */
  readonly #again = new Map<string, Lane>();
  readonly #delayed = new Map<string, { at: number; timer: NodeJS.Timeout; lane: Lane }>();
  readonly #failures = new Map<string, number>();
  readonly #ranAt = new Map<string, number>();
  /** Keys that wait for longer since others need the room. */
  readonly #yielding = new Set<string>();
  #looker: NodeJS.Timeout | undefined;
  #pacedAt = -Infinity;
  #pacer: NodeJS.Timeout | undefined;

  constructor(options: QueueOptions) {
    this.#options = { ...defaults, ...options };
    options.signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  add(key: string, lane: Lane = 'urgent'): void {
    if (this.#options.signal.aborted) return;
    if (this.#running.has(key)) this.#again.set(key, this.#again.get(key) === 'urgent' ? 'urgent' : lane);
    else if (lane === 'urgent') this.#enter(key, lane);
    else this.#pace(key);
  }

  /** Whether paced keys wait for room. */
  get isBehind(): boolean {
    return this.#paced.size > 0;
  }

  #pace(key: string): void {
    const { spacingMilliseconds, yieldingMilliseconds, yields, now } = this.#options;
    const isYielding = yields();
    const spacing = isYielding ? yieldingMilliseconds : spacingMilliseconds;
    this.#delay(key, 'paced', Math.max(gatherMilliseconds, (this.#ranAt.get(key) ?? -Infinity) + spacing - now()));
    if (!isYielding) return;
    this.#yielding.add(key);
    this.#looker ??= setInterval(() => this.#look(), lookMilliseconds).unref();
  }

  /** Nobody needs the room any more: what waits for longer than its own spacing waits no longer. */
  #look(): void {
    if (this.#options.yields()) return;
    clearInterval(this.#looker);
    this.#looker = undefined;
    const keys = [...this.#yielding];
    this.#yielding.clear();
    for (const key of keys) this.#pace(key);
  }

  #delay(key: string, lane: Lane, milliseconds: number): void {
    if (this.#urgent.has(key) || this.#paced.has(key)) return;
    const at = this.#options.now() + milliseconds;
    const planned = this.#delayed.get(key);
    if (planned !== undefined && planned.at <= at) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => this.#enter(key, lane), milliseconds).unref();
    this.#delayed.set(key, { at, timer, lane });
  }

  #enter(key: string, lane: Lane): void {
    clearTimeout(this.#delayed.get(key)?.timer);
    this.#delayed.delete(key);
    if (lane === 'urgent') this.#paced.delete(key);
    if (lane === 'urgent') this.#urgent.add(key);
    else if (!this.#urgent.has(key)) this.#paced.add(key);
    this.#pump();
  }

  #pump(): void {
    while (this.#running.size < this.#options.concurrency) {
      const key = this.#next();
      if (key === undefined) return;
      void this.#run(key);
    }
  }

  #next(): string | undefined {
    const [urgent] = this.#urgent;
    if (urgent !== undefined) {
      this.#urgent.delete(urgent);
      return urgent;
    }
    const [paced] = this.#paced;
    if (paced === undefined || !this.#mayPace()) return undefined;
    this.#paced.delete(paced);
    return paced;
  }

  #mayPace(): boolean {
    const { now, gapMilliseconds, room } = this.#options;
    const wait = Math.max(this.#pacedAt + gapMilliseconds - now(), room());
    if (wait <= 0) {
      this.#pacedAt = now();
      return true;
    }
    this.#pacer ??= setTimeout(() => {
      this.#pacer = undefined;
      this.#pump();
    }, wait).unref();
    return false;
  }

  async #run(key: string): Promise<void> {
    this.#running.add(key);
    this.#yielding.delete(key);
    this.#remember(key);
    const requeueAfter = await this.#attempt(key);
    this.#running.delete(key);
    if (this.#options.signal.aborted) return;
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (again !== undefined) this.add(key, again);
    else if (requeueAfter !== undefined) this.#delay(key, 'paced', requeueAfter);
    this.#pump();
  }

  /** Keys of objects that are gone must not stay for ever. */
  #remember(key: string): void {
    const { now, spacingMilliseconds, yieldingMilliseconds } = this.#options;
    const kept = Math.max(spacingMilliseconds, yieldingMilliseconds);
    this.#ranAt.delete(key);
    this.#ranAt.set(key, now());
    for (const [other, at] of this.#ranAt) {
      if (at + kept > now()) return;
      this.#ranAt.delete(other);
    }
  }

  async #attempt(key: string): Promise<number | undefined> {
    try {
      const requeueAfter = await this.#options.reconcile(key);
      this.#failures.delete(key);
      return requeueAfter;
    } catch (error) {
      const attempt = this.#failures.get(key) ?? 0;
      this.#failures.set(key, attempt + 1);
      this.#options.onError(key, error, attempt);
      return Math.max(100, backoff(attempt, this.#options.random, 500, 60_000));
    }
  }

  #stop(): void {
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    clearTimeout(this.#pacer);
    clearInterval(this.#looker);
    this.#delayed.clear();
    this.#urgent.clear();
    this.#paced.clear();
  }
}
