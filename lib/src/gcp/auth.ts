import type { Answered, Route } from '../exchange.ts';
import { exchange } from '../exchange.ts';
import { Failure } from '../reason.ts';
import type { SecretValue } from '../secret-value.ts';
import type { Session, Token } from '../session.ts';
import { answerFailure, faultOf } from './failure.ts';
import type { Question } from './failure.ts';

/** What one call of Google's client is about: the client knows nothing of it and carries its number in a header that ends here. */
export interface Call {
  question: Question;
  signal: AbortSignal | undefined;
}

const header = 'x-rekey-call';

interface FetchOptions {
  method?: string;
  headers?: Headers;
  body?: string | Uint8Array;
}

interface FetchAnswer {
  ok: true;
  status: number;
  arrayBuffer: () => Promise<ArrayBufferLike>;
}

/**
 * Stands where Google's client has its GoogleAuth: signs with tokens of our session, and goes over connections of ours with our lookup,
 * bounded, without redirects and without retries. What is not a success leaves as a Failure, which the client hands on as the cause.
 */
export class GoogleTransport {
  readonly #route: Route;
  readonly #session: Session<SecretValue>;
  readonly #calls = new Map<string, Call>();
  #last = 0;

  constructor(route: Route, session: Session<SecretValue>) {
    this.#route = route;
    this.#session = session;
  }

  /** Runs one call of the client, which takes these options; rejects with a Failure. */
  async run<T>(
    call: Call,
    task: (options: { otherArgs: { headers: Record<string, string> }; retry: null; timeout: number }) => Promise<T>,
  ): Promise<T> {
    this.#last += 1;
    const id = String(this.#last);
    this.#calls.set(id, call);
    try {
      return await task({ otherArgs: { headers: { [header]: id } }, retry: null, timeout: this.#route.timeout * 2 });
    } catch (error) {
      throw failureIn(error) ?? faultOf(error, call.question.what);
    } finally {
      this.#calls.delete(id);
    }
  }

  /** The method of GoogleAuth that the client calls. */
  async fetch(url: string, { method = 'GET', headers = new Headers(), body }: FetchOptions): Promise<FetchAnswer> {
    const call = this.#calls.get(headers.get(header) ?? '');
    if (call === undefined) throw new Failure('SourceResponseInvalid', 'a call of the client that nobody asked for');
    headers.delete(header);
    const asking = { method, url: new URL(url), headers: Object.fromEntries(headers), body, signal: call.signal };
    const { held } = this.#session;
    const token = await this.#session.token();
    const send = (using: Token<SecretValue>): Promise<Answered> =>
      exchange(this.#route, { ...asking, headers: { ...asking.headers, authorization: `Bearer ${using.secret.reveal()}` } }).catch(
        (error) => {
          throw faultOf(error, call.question.what);
        },
      );
    const first = await send(token);
    // With a token that was in hand before, a refusal of the identity may be its end: exactly one new login.
    const answer = first.status === 401 && token === held ? await send(await this.#session.token(token)) : first;
    if (answer.status !== 200) throw answerFailure(answer, call.question);
    return { ok: true, status: 200, arrayBuffer: () => Promise.resolve(new Uint8Array(answer.bytes).buffer) };
  }

  /** What the client knows an authentication by; `fetch` signs. */
  getRequestHeaders(): Promise<Headers> {
    return Promise.resolve(new Headers());
  }

  getUniverseDomain(): Promise<string> {
    return Promise.resolve('googleapis.com');
  }
}

/** The client wraps what its transport throws, once or twice. */
function failureIn(error: unknown): Failure | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth += 1) if (at instanceof Failure) return at;
  return undefined;
}
