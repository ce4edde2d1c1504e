import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { parseJson, readText } from '@rekey/lib/body.ts';
import { redirectOf } from '@rekey/lib/redirect.ts';

/** What went wrong before there was an answer. `code` is from Node (ECONNRESET) or one of ours. */
export class TransportFault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = 'TransportFault';
    this.code = code;
  }
}

/** A request as node-vault makes it, with what we add by its `requestOptions`. */
interface VaultRequest {
  method: string;
  uri: string;
  headers?: Record<string, string>;
  json?: unknown;
  signal?: AbortSignal;
}

interface VaultResponse {
  statusCode: number;
  body: unknown;
  request: { path: string };
}

const mostBytes = 1024 * 1024;

/**
 * Carries node-vault's requests over `node:https`, in place of axios: axios as node-vault calls it follows redirects with the token in
 * hand, reads answers of any length, knows no lookup of ours, and costs 7 MB in every pod. A body that is not JSON is `undefined`.
 */
export function transport(route: Route): { defaults: () => (request: VaultRequest) => Promise<VaultResponse> } {
  return { defaults: () => (request) => exchange(route, request) };
}

export interface Route {
  agent: https.Agent;
  /** Of one exchange, in milliseconds. */
  timeout: number;
  /** See `redirectOf`. */
  redirectHosts: readonly string[];
}

async function exchange({ agent, timeout, redirectHosts }: Route, request: VaultRequest): Promise<VaultResponse> {
  const { method, uri, headers, json, signal } = request;
  const url = new URL(uri);
  const deadline = AbortSignal.timeout(timeout);
  const body = json === undefined ? undefined : JSON.stringify(json);
  const options = {
    agent,
    method,
    headers: { ...headers, accept: 'application/json', 'x-vault-request': 'true', ...framing(body) },
    signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
  };
  try {
    const first = await answerOf(url, options, body);
    const elsewhere = redirectOf(first.statusCode, first.location, redirectHosts);
    // Once: what the second node says is the answer, another redirect included.
    const { statusCode, text } = elsewhere === undefined ? first : await answerOf(elsewhere, options, body);
    return { statusCode, body: parseJson(text), request: { path: url.pathname } };
  } catch (error) {
    if (error instanceof TransportFault) throw error;
    throw new TransportFault(deadline.aborted ? 'ETIMEDOUT' : codeOf(error));
  }
}

function framing(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
}

interface Answered {
  statusCode: number;
  location: string | undefined;
  text: string;
}

async function answerOf(url: URL, options: https.RequestOptions, body: string | undefined): Promise<Answered> {
  const response = await head(url, options, body);
  const text = await readText(response, mostBytes, () => new TransportFault('EMSGSIZE'));
  return { statusCode: response.statusCode ?? 0, location: response.headers.location, text };
}

function head(url: URL, options: https.RequestOptions, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : 'Unknown';
}
