import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { readText } from '@rekey/lib/body.ts';
import { redirectOf } from '@rekey/lib/redirect.ts';

/** An answer of the source that is not a success: only its status, never its text. */
export class HttpAnswer extends Error {
  readonly status: number;
  /** What `Retry-After` asks for, at most the time that one poll has. */
  readonly retryAfterMilliseconds: number;

  constructor(status: number, retryAfterMilliseconds: number) {
    super(`HTTP ${status}`);
    this.name = 'HttpAnswer';
    this.status = status;
    this.retryAfterMilliseconds = retryAfterMilliseconds;
  }
}

/** What node-vault hands to its transport. */
export interface TransportOptions {
  method: string;
  uri: string;
  headers?: Record<string, string>;
  json?: unknown;
  signal?: AbortSignal;
}

interface TransportAnswer {
  statusCode: number;
  body: unknown;
  request: { path: string };
}

export interface Transport {
  send: (options: TransportOptions) => Promise<TransportAnswer>;
  close: () => void;
}

const largestAnswer = 1_048_576;

interface Route {
  caBundle?: string | undefined;
  /** See `redirectOf`. */
  redirectHosts?: readonly string[] | undefined;
}

/**
 * node-vault's own transport follows redirects and environment proxies and reads without a limit; this one goes to the
 * address of the store, or once to a host that it allows, and nowhere else, over a verified connection that it keeps.
 */
export function httpsTransport({ caBundle, redirectHosts = [] }: Route): Transport {
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ...(caBundle === undefined ? {} : { ca: caBundle }) });
  return { send: (options) => send(agent, redirectHosts, options), close: () => agent.destroy() };
}

async function send(agent: Agent, redirectHosts: readonly string[], options: TransportOptions): Promise<TransportAnswer> {
  const url = new URL(options.uri);
  const first = await ask(agent, url, options);
  const elsewhere = redirectOf(first.response.statusCode, first.response.headers.location, redirectHosts);
  const { response, text } = elsewhere === undefined ? first : await ask(agent, elsewhere, options);
  const statusCode = response.statusCode ?? 0;
  if (statusCode !== 200 && statusCode !== 204) throw new HttpAnswer(statusCode, retryAfter(response));
  return { statusCode, body: text === '' ? {} : JSON.parse(text), request: { path: url.pathname } };
}

async function ask(agent: Agent, url: URL, { method, headers, json, signal }: TransportOptions): Promise<Asked> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(url, { agent, method, headers: { ...headers, ...type }, ...(signal === undefined ? {} : { signal }) });
    outgoing.once('response', resolve).once('error', reject).end(body);
  });
  const text = await readText(response as AsyncIterable<Buffer>, largestAnswer, () => new SyntaxError('the answer is too large'));
  return { response, text };
}

interface Asked {
  response: IncomingMessage;
  text: string;
}

/** RFC 9110 section 10.2.3, in seconds; a date is taken for none. */
function retryAfter({ headers }: IncomingMessage): number {
  const seconds = Number(headers['retry-after'] ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, 5000) : 0;
}
