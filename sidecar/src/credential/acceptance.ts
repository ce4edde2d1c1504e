import { Failure } from '@rekey/lib/reason.ts';
import type { Clock } from '../clock.ts';

/** A refusal is taken back by an accepted call only when it is so old: an upstream that refuses some calls must not make the status flap. */
const settled = 10_000;

/** Which version the upstream takes, from the answers to the pod's own calls. */
export class Acceptance {
  readonly #clock: Clock;
  #accepted: string | undefined;
  #refused: { version: string; at: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last version that was accepted. */
  get accepted(): string | undefined {
    return this.#accepted;
  }

  /** Forgets both: the values are of another source now. */
  reset(): void {
    this.#accepted = undefined;
    this.#refused = undefined;
  }

  /** The refusal of the version in use, if it stands; milder as long as calls fall back to another version. */
  problem(current: string | undefined, fallback?: string): Failure | undefined {
    if (this.#refused === undefined || this.#refused.version !== current) return undefined;
    if (fallback !== undefined) {
      return new Failure('NewVersionRefused', `the upstream refuses version ${current}, and calls fall back to version ${fallback}`);
    }
    return new Failure('CredentialRefused', `the upstream refuses version ${current}`);
  }

  /** Whether anything changed. Called for every call, so the usual case leaves first. */
  report(version: string, accepted: boolean, current: string | undefined): boolean {
    if (!accepted) return this.#refuse(version, current);
    if (this.#refused === undefined && version === this.#accepted) return false;
    return this.#accept(version, current);
  }

  #refuse(version: string, current: string | undefined): boolean {
    // What matters is that the version in use is refused: that one before it is too, does not undo it.
    if (version !== current && this.#refused !== undefined && this.#refused.version === current) return false;
    const news = this.#refused?.version !== version;
    this.#refused = { version, at: this.#clock.now() };
    return news;
  }

  #accept(version: string, current: string | undefined): boolean {
    // A long call that began with an older version ends after the newer one was accepted.
    const late = version !== current && this.#accepted !== undefined;
    const news = !late && version !== this.#accepted;
    if (!late) this.#accepted = version;
    const over = this.#refused !== undefined && (this.#refused.version !== version || this.#clock.now() - this.#refused.at >= settled);
    if (over && !late) this.#refused = undefined;
    return news || (over && !late);
  }
}
