import { Failure } from './reason.ts';

export interface Token<T> {
  /** What reads are made with; prints as redacted, or is not printed. */
  readonly secret: T;
  /** Milliseconds of the monotonic clock. */
  readonly expiresAt: number;
}

export interface SessionContext<T> {
  /** One login with this pod's own token: what reads are made with, and for how many milliseconds. Rejects with a Failure. */
  login: () => Promise<{ secret: T; lease: number }>;
  now: () => number;
  random: () => number;
}

const retryRenewalAfter = 5000;

/**
 * The token that all credentials of a role read one store with: one login at a time, anew at two thirds of the lease.
 *
 * | token        | refused by a read just now | login       | outcome                                   |
 * |--------------|----------------------------|-------------|-------------------------------------------|
 * | none, ended  | -                          | works       | the new one                               |
 * | none, ended  | -                          | fails       | the Failure                               |
 * | good         | no                         | not tried   | the token                                 |
 * | past 2/3     | no                         | works       | the new one                               |
 * | past 2/3     | no                         | outage      | the old one, next login in 5 s            |
 * | past 2/3     | no                         | refused     | SourceDenied, the token is forgotten      |
 * | good         | yes, and it is this one    | works/fails | the new one / the Failure                 |
 * | good         | yes, but an older one      | not tried   | the token: somebody has logged in already |
 */
export class Session<T> {
  readonly #context: SessionContext<T>;
  #token: Token<T> | undefined;
  #renewAt = 0;
  #flight: Promise<Token<T>> | undefined;

  constructor(context: SessionContext<T>) {
    this.#context = context;
  }

  /** The token in hand, if any; a read that was refused with it asks for another. */
  get held(): Token<T> | undefined {
    return this.#token;
  }

  async token(refused?: Token<T>): Promise<Token<T>> {
    if (refused !== undefined && this.#token === refused) this.#token = undefined;
    const now = this.#context.now();
    const held = this.#token;
    if (held === undefined || now >= held.expiresAt) return this.#logInOnce();
    if (now < this.#renewAt) return held;
    try {
      return await this.#logInOnce();
    } catch (error) {
      if (error instanceof Failure && error.reason === 'SourceDenied') {
        this.#token = undefined;
        throw error;
      }
      this.#renewAt = this.#context.now() + retryRenewalAfter;
      return held;
    }
  }

  forget(): void {
    this.#token = undefined;
  }

  #logInOnce(): Promise<Token<T>> {
    this.#flight ??= this.#logIn().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #logIn(): Promise<Token<T>> {
    const startedAt = this.#context.now();
    const { secret, lease } = await this.#context.login();
    // Two thirds of the lease, less up to a tenth of it: the pods of a fleet that started together do not log in together.
    this.#renewAt = startedAt + lease * (2 / 3 - this.#context.random() / 10);
    this.#token = { secret, expiresAt: startedAt + lease };
    return this.#token;
  }
}
