import { Failure } from '@rekey/lib/reason.ts';
import type { Clock } from './clock.ts';
import type { Grant } from './credential.ts';
import { backingOff, due, dueAt, failedOf, heldOf, usable } from './freshness.ts';
import type { Policy, State } from './freshness.ts';
import { mayLag, planAfter, planned, takesBack } from './plan.ts';
import type { Refusal } from './refusal.ts';
import { afterRefusal, refusedAgain, refusedNow } from './refusal.ts';
import type { Reading } from './source/source.ts';

export interface CacheContext {
  /** One read of the source: the version that is wanted, or the newest whatever is wanted. Rejects with a Failure. */
  read: (newest: boolean, signal: AbortSignal) => Promise<Reading>;
  clock: Clock;
  random: () => number;
  /** The version in use, or what is wrong, may have changed. */
  onChange: () => void;
}

type Outcome = Reading | Failure | 'ended';

interface Flight {
  newest: boolean;
  controller: AbortController;
  outcome: Promise<Outcome>;
}

/**
 * The value of one credential from one source: what a call gets, and when the source is read for it. Pure of I/O.
 *
 * | in hand                  | last read        | a call gets                                           |
 * |--------------------------|------------------|-------------------------------------------------------|
 * | within TTL               | any              | it (hit); past ~80 % of the TTL a refresh starts too  |
 * | past TTL, being read     | good             | what the read brings                                  |
 * | past TTL, up to maxStale | failed, outage   | it (stale)                                            |
 * | nothing                  | failed just now  | that failure, without a read                          |
 * | nothing                  | any other        | what one read brings to all that wait (miss)          |
 */
export class Cache {
  readonly #context: CacheContext;
  readonly #state: State;
  readonly #refusals = new Map<string, Refusal>();
  #blocked: Failure | undefined;
  #version: string | undefined;
  #createdAt: Date | undefined;
  #expiresAt: Date | undefined;
  #flight: Flight | undefined;
  #waiting: PromiseWithResolvers<void> | undefined;
  #cancelTimer: () => void = () => undefined;

  /** Blocked until `open`. */
  constructor(context: CacheContext, policy: Policy) {
    this.#context = context;
    this.#state = { policy, held: undefined, failed: undefined, plan: undefined };
    this.#blocked = new Failure('SourceUnreachable', 'the sidecar has not started');
  }

  /** The version of the last value read, whether it is in hand or not. */
  get version(): string | undefined {
    return this.#version;
  }

  /** When that version was written, where the source says so. */
  get createdAt(): Date | undefined {
    return this.#createdAt;
  }

  /** When that version ends, where the source says so. */
  get expiresAt(): Date | undefined {
    return this.#expiresAt;
  }

  /** Why a call would fail now, as far as is known without a read. */
  get problem(): Failure | undefined {
    return this.#blocked ?? (this.#state.held === undefined ? this.#state.failed?.failure : undefined);
  }

  grant(): Grant | Promise<Grant> {
    if (this.#blocked !== undefined) throw this.#blocked;
    const { held } = this.#state;
    if (held === undefined) return this.#load();
    const now = this.#context.clock.now();
    const grant = usable(this.#state, now);
    if (grant === undefined) return this.#load();
    held.used = true;
    if (now >= held.refreshAt && !backingOff(this.#state, now)) this.#fly(false);
    return grant;
  }

  /** When this reads, waits or lets the refusal stand: see `afterRefusal`. */
  async grantAfterRefusal(version: string): Promise<Grant> {
    const { clock } = this.#context;
    refusedNow(this.#refusals, version, clock.now());
    for (let cache: Grant['cache'] | undefined; ;) {
      if (this.#blocked !== undefined) throw this.#blocked;
      const refusal = this.#refusals.get(version);
      // The source was changed meanwhile: what was refused is of the old one, whatever its version is called.
      if (refusal === undefined) return this.grant();
      const inHand = usable(this.#state, clock.now());
      const next = afterRefusal(version, inHand?.version, refusal, clock.now());
      if (next.step === 'wait') await this.#wait(next.until);
      else if (next.step === 'read') {
        await this.#forced();
        cache = 'miss';
      } else if (inHand !== undefined) return cache === undefined ? inHand : { ...inHand, cache };
    }
  }

  /** Drops the value and answers every call with the failure, until `open`. */
  block(failure: Failure): void {
    this.#blocked = failure;
    this.#clear();
  }

  /** Forgets everything, for it was of another source or another time, and reads in the background. */
  open(expected: string | undefined): void {
    this.#blocked = undefined;
    this.#version = undefined;
    this.#clear();
    this.#plan(expected);
  }

  /** The operator says that this version is the one to use: read now, unless it is the one that was read last. */
  announce(expected: string): void {
    if (this.#blocked !== undefined || (this.#version === expected && this.problem === undefined)) return;
    this.#plan(expected);
  }

  /** The source may answer something else now: read soon. */
  refresh(): void {
    if (this.#blocked === undefined) this.#plan(undefined);
  }

  setPolicy(policy: Policy): void {
    this.#state.policy = policy;
    this.#schedule();
  }

  async #load(): Promise<Grant> {
    this.#throwIfBackingOff();
    const outcome = await this.#fly(false).outcome;
    if (outcome === 'ended') return this.grant();
    if (!(outcome instanceof Failure)) {
      if (this.#state.held !== undefined) this.#state.held.used = true;
      return { ...outcome, cache: 'miss' };
    }
    const stale = usable(this.#state, this.#context.clock.now());
    if (stale === undefined) throw outcome;
    return stale;
  }

  /** One read of the newest, shared. What a read brings that was under way already does not count: it may be from before the refusal. */
  async #forced(): Promise<void> {
    this.#throwIfBackingOff();
    const outcome = await this.#fly(true).outcome;
    if (outcome instanceof Failure) throw outcome;
  }

  #throwIfBackingOff(): void {
    const { failed } = this.#state;
    if (this.#flight === undefined && failed !== undefined && backingOff(this.#state, this.#context.clock.now())) throw failed.failure;
  }

  #fly(newest: boolean): Flight {
    if (this.#flight !== undefined) return this.#flight;
    const controller = new AbortController();
    this.#flight = { newest, controller, outcome: this.#run(newest, controller.signal) };
    return this.#flight;
  }

  async #run(newest: boolean, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#context
      .read(newest, signal)
      .catch((error: unknown) => (error instanceof Failure ? error : new Failure('SourceResponseInvalid')));
    if (signal.aborted) return 'ended';
    this.#flight = undefined;
    if (outcome instanceof Failure) this.#failed(outcome);
    else this.#keep(outcome, newest);
    this.#changed();
    return outcome;
  }

  #keep(reading: Reading, newest: boolean): void {
    const { clock, random } = this.#context;
    const now = clock.now();
    const state = this.#state;
    const inHand = usable(state, now);
    if (inHand !== undefined && takesBack(reading.version, inHand.version, state.plan)) {
      state.plan = state.plan && planAfter(state.plan, reading.version, now);
      return;
    }
    state.held = heldOf(reading, state.policy, now, random);
    state.failed = undefined;
    state.plan = state.plan && planAfter(state.plan, reading.version, now);
    this.#version = reading.version;
    this.#createdAt = reading.createdAt;
    this.#expiresAt = reading.expiresAt;
    if (newest) refusedAgain(this.#refusals, reading.version, now);
  }

  #failed(failure: Failure): void {
    const { clock, random } = this.#context;
    const now = clock.now();
    const state = this.#state;
    state.failed = failedOf(failure, state, now, random);
    state.plan = state.failed.passing || mayLag(failure, state.plan) ? state.plan && planAfter(state.plan, undefined, now) : undefined;
    if (!state.failed.passing) state.held = undefined;
  }

  #plan(expected: string | undefined): void {
    this.#state.plan = planned(expected, this.#context.clock.now(), this.#context.random);
    this.#changed();
  }

  #clear(): void {
    const state = this.#state;
    state.held = undefined;
    state.failed = undefined;
    state.plan = undefined;
    this.#refusals.clear();
    this.#flight?.controller.abort();
    this.#flight = undefined;
    this.#changed();
  }

  #changed(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
    this.#schedule();
    this.#context.onChange();
  }

  /** A read that is under way ends in `changed`, which comes here again. */
  #schedule(): void {
    const { clock } = this.#context;
    this.#cancelTimer();
    const at = this.#flight === undefined ? dueAt(this.#state, clock.now()) : Number.POSITIVE_INFINITY;
    if (Number.isFinite(at)) this.#cancelTimer = clock.after(Math.max(0, at - clock.now()), () => this.#tick());
  }

  #tick(): void {
    const now = due(this.#state, this.#context.clock.now());
    if (now.drop) this.#state.held = undefined;
    if (now.read) this.#fly(false);
    if (now.drop) this.#changed();
    else this.#schedule();
  }

  /** Until the time, or until anything changes. All that wait share one timer: the first one's time is everybody's. */
  async #wait(until: number): Promise<void> {
    const { clock } = this.#context;
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers();
      const { resolve, promise } = this.#waiting;
      const cancel = clock.after(Math.max(0, until - clock.now()), () => {
        this.#waiting = undefined;
        resolve();
      });
      void promise.then(cancel);
    }
    await this.#waiting.promise;
  }
}
