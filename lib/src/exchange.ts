import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { readBytes } from './body.ts';

/** What went wrong before there was an answer. `code` is from Node (ECONNRESET) or one of ours: ETIMEDOUT, EMSGSIZE. */
export class TransportFault extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.name = 'TransportFault';
    this.code = code;
  }
}

export interface Asking {
  method: string;
  url: URL;
  headers: Readonly<Record<string, string>>;
  body?: string | Uint8Array | undefined;
  signal?: AbortSignal | undefined;
}

export interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
}

export interface Route {
  agent: https.Agent;
  /** Of one exchange, in milliseconds. */
  timeout: number;
}

const mostBytes = 1024 * 1024;

/** Connections to a source of secrets: few, kept, and verified with the bundle or with the public roots. */
export function agentOf({ lookup, caBundle }: { lookup?: LookupFunction | undefined; caBundle?: string | undefined }): https.Agent {
  return new https.Agent({
    keepAlive: true,
    maxSockets: 4,
    maxFreeSockets: 1,
    ...(lookup && { lookup }),
    ...(caBundle && { ca: caBundle }),
  });
}

/** One request and its whole answer, of 1 MiB at most; follows no redirect. Rejects with a TransportFault. */
export async function exchange({ agent, timeout }: Route, { method, url, headers, body, signal }: Asking): Promise<Answered> {
  const deadline = AbortSignal.timeout(timeout);
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const within = signal === undefined ? deadline : AbortSignal.any([deadline, signal]);
  try {
    const response = await head(url, { agent, method, headers: { ...headers, ...length }, signal: within }, body);
    const bytes = await readBytes(response, mostBytes, () => new TransportFault('EMSGSIZE'));
    return { status: response.statusCode ?? 0, headers: response.headers, bytes };
  } catch (error) {
    if (error instanceof TransportFault) throw error;
    throw new TransportFault(deadline.aborted ? 'ETIMEDOUT' : codeOf(error));
  }
}

function head(url: URL, options: https.RequestOptions, body: string | Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = https.request(url, options, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

/** Node's and OpenSSL's codes of a certificate that does not verify: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
export function isCertificateProblem(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_/u.test(code);
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : 'Unknown';
}
