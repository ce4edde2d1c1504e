import { Failure } from '@rekey/lib/reason.ts';
import type { Clock } from '../clock.ts';
import type { Grant } from './credential.ts';
import type { Read } from './flight.ts';
import { SingleFlight } from './flight.ts';
import { backingOff, due, dueAt, failedOf, heldOf, usable } from './freshness.ts';
import type { Policy, State } from './freshness.ts';
import { mayLag, planAfter, planned, takesBack } from './plan.ts';
import { Previous } from './previous.ts';
import type { AfterRefusal, Refusal } from './refusal.ts';
import { afterRefusal, refusedAgain, refusedNow } from './refusal.ts';
import type { Reading } from '../source/source.ts';
import { Wake } from './wake.ts';

export interface CacheContext {
  read: Read;
  clock: Clock;
  random: () => number;
  /** The version in use, or what is wrong, may have changed. */
  onChange: () => void;
}

interface Last {
  version: string;
  createdAt: Date | undefined;
  expiresAt: Date | undefined;
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
  readonly #previous = new Previous();
  readonly #wake: Wake;
  readonly #flight: SingleFlight;
  #blocked: Failure | undefined;
  #last: Last | undefined;
  #cancelTimer: () => void = () => undefined;

  /** Blocked until `open`. */
  constructor(context: CacheContext, policy: Policy) {
    this.#context = context;
    this.#wake = new Wake(context.clock);
    this.#flight = new SingleFlight(context.read, (outcome, newest) => this.#landed(outcome, newest));
    this.#state = { policy, held: undefined, failed: undefined, plan: undefined };
    this.#blocked = new Failure('SourceUnreachable', 'the sidecar has not started');
  }

  /** The version of the last value read, whether it is in hand or not. */
  get version(): string | undefined {
    return this.#last?.version;
  }

  /** What the source says of that version. */
  get last(): Last | undefined {
    return this.#last;
  }

  /** The version that calls fall back to when the one in use is refused. */
  get fallback(): string | undefined {
    return this.#previous.besides(this.version)?.version;
  }

  /** It is refused too: no call needs to try it again. */
  forgetFallback(): void {
    this.#previous.drop();
  }

  /** Why a call would fail now, as far as is known without a read. */
  get problem(): Failure | undefined {
    return this.#blocked ?? (this.#state.held === undefined ? this.#state.failed?.failure : undefined);
  }

  /** Milliseconds since the value in hand was read. */
  get age(): number | undefined {
    const { held } = this.#state;
    return held === undefined ? undefined : this.#context.clock.now() - held.readAt;
  }

  grant(): Grant | Promise<Grant> {
    if (this.#blocked !== undefined) throw this.#blocked;
    const { held } = this.#state;
    if (held === undefined) return this.#load();
    const now = this.#context.clock.now();
    const grant = usable(this.#state, now);
    if (grant === undefined) return this.#load();
    held.used = true;
    if (now >= held.refreshAt && !backingOff(this.#state, now)) void this.#flight.fly(false);
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
      const back = this.#back(version, next);
      if (back !== undefined) return back;
      if (next.step === 'wait') await this.#wake.until(next.until);
      else if (next.step === 'read') {
        await this.#forced();
        cache = 'miss';
      } else if (inHand !== undefined) return cache === undefined ? inHand : { ...inHand, cache };
    }
  }

  /** Instead of waiting, and of letting the refusal stand, the version before is tried while there is one. */
  #back(refused: string, { step }: AfterRefusal): Grant | undefined {
    return step === 'wait' || step === 'stand' ? this.#previous.besides(refused) : undefined;
  }

  /** Drops the value and answers every call with the failure, until `open`. */
  block(failure: Failure): void {
    this.#blocked = failure;
    this.#clear();
  }

  /** Forgets everything, for it was of another source or another time, and reads in the background. */
  open(expected: string | undefined): void {
    this.#blocked = undefined;
    this.#last = undefined;
    this.#clear();
    this.#plan(expected);
  }

  /** The operator says that this version is the one to use: read now, unless it is the one that was read last. */
  announce(expected: string): void {
    if (this.#blocked !== undefined || (this.version === expected && this.problem === undefined)) return;
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
    const outcome = await this.#flight.fly(false);
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
    const outcome = await this.#flight.fly(true);
    if (outcome instanceof Failure) throw outcome;
  }

  #throwIfBackingOff(): void {
    const { failed } = this.#state;
    if (!this.#flight.isUnderWay && failed !== undefined && backingOff(this.#state, this.#context.clock.now())) throw failed.failure;
  }

  #landed(outcome: Reading | Failure, newest: boolean): void {
    if (outcome instanceof Failure) this.#failed(outcome);
    else this.#keep(outcome, newest);
    this.#changed();
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
    if (state.held !== undefined && state.held.hit.version !== reading.version) {
      this.#previous.keep(state.held.hit, now, state.policy.grace ?? 0);
    }
    state.held = heldOf(reading, state.policy, now, random);
    state.failed = undefined;
    state.plan = state.plan && planAfter(state.plan, reading.version, now);
    this.#last = { version: reading.version, createdAt: reading.createdAt, expiresAt: reading.expiresAt };
    if (newest) refusedAgain(this.#refusals, reading.version, now);
  }

  #failed(failure: Failure): void {
    const { clock, random } = this.#context;
    const now = clock.now();
    const state = this.#state;
    state.failed = failedOf(failure, state, now, random);
    state.plan = state.failed.passing || mayLag(failure, state.plan) ? state.plan && planAfter(state.plan, undefined, now) : undefined;
    if (state.failed.passing) return;
    state.held = undefined;
    this.#previous.drop();
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
    this.#previous.drop();
    this.#flight.end();
    this.#changed();
  }

  #changed(): void {
    this.#wake.wake();
    this.#schedule();
    this.#context.onChange();
  }

  /** A read that is under way ends in `changed`, which comes here again. */
  #schedule(): void {
    const { clock } = this.#context;
    this.#cancelTimer();
    const due = this.#flight.isUnderWay ? Number.POSITIVE_INFINITY : dueAt(this.#state, clock.now());
    const at = Math.min(due, this.#previous.endsAt);
    if (Number.isFinite(at)) this.#cancelTimer = clock.after(Math.max(0, at - clock.now()), () => this.#tick());
  }

  #tick(): void {
    const time = this.#context.clock.now();
    const now = due(this.#state, time);
    const isGraceOver = time >= this.#previous.endsAt;
    if (now.drop) this.#state.held = undefined;
    if (isGraceOver) this.#previous.drop();
    if (now.read) void this.#flight.fly(false);
    if (now.drop || isGraceOver) this.#changed();
    else this.#schedule();
  }
}
