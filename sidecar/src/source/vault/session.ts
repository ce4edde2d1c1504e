import { Failure } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Answer } from './answer.ts';
import { fields, isRefusal, troubled } from './answer.ts';

export interface Token {
  readonly secret: SecretValue;
  /** Milliseconds of the monotonic clock. */
  readonly expiresAt: number;
}

export interface SessionContext {
  /** One POST to the login path with this pod's own token. Rejects with a Failure when there is no answer. */
  login: () => Promise<Answer>;
  /** For messages: `store default`. */
  what: string;
  role: string;
  now: () => number;
  random: () => number;
}

const retryRenewalAfter = 5000;

/**
 * The token that all credentials of the pod read one store with: one login at a time, anew at two thirds of the lease.
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
export class Session {
  readonly #context: SessionContext;
  #token: Token | undefined;
  #renewAt = 0;
  #flight: Promise<Token> | undefined;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  /** The token in hand, if any; a read that was refused with it asks for another. */
  get held(): Token | undefined {
    return this.#token;
  }

  async token(refused?: Token): Promise<Token> {
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

  #logInOnce(): Promise<Token> {
    this.#flight ??= this.#logIn().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #logIn(): Promise<Token> {
    const startedAt = this.#context.now();
    const { secret, lease } = tokenOf(await this.#context.login(), this.#context);
    // Two thirds of the lease, less up to a tenth of it: the pods of a fleet that started together do not log in together.
    this.#renewAt = startedAt + lease * (2 / 3 - this.#context.random() / 10);
    this.#token = { secret, expiresAt: startedAt + lease };
    return this.#token;
  }
}

function tokenOf(answer: Answer, { what, role }: SessionContext): { secret: SecretValue; lease: number } {
  const { status, body } = answer;
  if ([400, 403, 404].includes(status) && isRefusal(answer)) {
    throw new Failure(
      'SourceDenied',
      `${what} refuses the login with role ${role}: check that it exists, its audience and who it is bound to`,
    );
  }
  if (status !== 200) throw troubled(answer, what);
  const { client_token: secret, lease_duration: seconds } = fields(fields(body)['auth']);
  if (typeof secret !== 'string' || secret === '' || typeof seconds !== 'number') {
    throw new Failure('SourceResponseInvalid', `the answer to a login at ${what} holds no token`);
  }
  // A lease of 0 never ends: a root token, or one without a TTL.
  return { secret: new SecretValue(secret), lease: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000 };
}
