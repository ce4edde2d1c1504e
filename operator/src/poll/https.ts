import type { IncomingHttpHeaders } from 'node:http';
import { Agent } from 'node:https';
import { exchange } from '@rekey/lib/exchange.ts';
import type { Answered } from '@rekey/lib/exchange.ts';
import { errorCode } from '@rekey/lib/log.ts';
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

/** Of one exchange; the poll's own deadline, which its signal brings, is earlier. */
const timeout = 30_000;

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
  const elsewhere = redirectOf(first.status, first.headers.location, redirectHosts);
  const { status: statusCode, headers, bytes } = elsewhere === undefined ? first : await ask(agent, elsewhere, options);
  if (statusCode !== 200 && statusCode !== 204) throw new HttpAnswer(statusCode, retryAfter(headers));
  return { statusCode, body: bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8')), request: { path: url.pathname } };
}

/** An answer that is too large is none that can be understood. */
async function ask(agent: Agent, url: URL, { method, headers, json, signal }: TransportOptions): Promise<Answered> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  return exchange({ agent, timeout }, { method, url, headers: { ...headers, ...type }, body, signal }).catch((error: unknown) => {
    throw errorCode(error) === 'EMSGSIZE' ? new SyntaxError('the answer is too large') : error;
  });
}

/** RFC 9110 section 10.2.3, in seconds; a date is taken for none. */
function retryAfter(headers: IncomingHttpHeaders): number {
  const seconds = Number(headers['retry-after'] ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, 5000) : 0;
}
