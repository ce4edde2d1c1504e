import type { Grant } from './credential.ts';

/**
 * The value that was in use before the present one, for as long as calls may fall back to it (`rotation.graceSeconds`): some providers learn
 * late of a new key. Times in milliseconds of the monotonic clock.
 */
export class Previous {
  #grant: Grant | undefined;
  #until = 0;

  /** What has just been replaced by another version. */
  keep(grant: Grant, now: number, grace: number): void {
    this.#grant = grace > 0 ? { ...grant, cache: 'hit', fallback: true } : undefined;
    this.#until = now + grace;
  }

  /** What a call may use whose `refused` version was refused. */
  besides(refused: string | undefined): Grant | undefined {
    return this.#grant?.version === refused ? undefined : this.#grant;
  }

  /** When `drop` is due: the cache's timer sees to it. */
  get endsAt(): number {
    return this.#grant === undefined ? Number.POSITIVE_INFINITY : this.#until;
  }

  drop(): void {
    this.#grant = undefined;
  }
}
