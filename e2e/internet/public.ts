import { readFileSync, readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { route } from './api.ts';
import type { Answer, Api, Call } from './api.ts';
import type { Ledger } from './ledger.ts';
import { take } from './request.ts';

export interface Internet {
  apis: readonly Api[];
  ledger: Ledger;
  /** Milliseconds that an API waits before it answers. */
  latency: Map<string, number>;
}

/** Answers with what it was sent, the credential included, whether it is valid or not. */
const echo = '/rekey-echo';

/** The HTTPS server that plays every API, each under its own certificate. */
export function publicServer(internet: Internet, certificates: Map<string, SecureContext>): Server {
  const hosts = new Map(internet.apis.map((api) => [api.host, api]));
  const server = createServer(
    { ALPNProtocols: ['http/1.1'], SNICallback: (name, done) => certificateFor(certificates, name, done) },
    (request, response) => void answer(internet, hosts, request, response).catch(() => response.destroy()),
  );
  // As long as the real ones keep a silent connection.
  server.keepAliveTimeout = 65_000;
  return server;
}

/** The certificates of a directory of HOST.crt and HOST.key files. */
export function readCertificates(directory: string): Map<string, SecureContext> {
  const hosts = readdirSync(directory)
    .filter((file) => file.endsWith('.crt'))
    .map((file) => file.slice(0, -'.crt'.length));
  const read = (file: string) => readFileSync(join(directory, file));
  return new Map(hosts.map((host) => [host, createSecureContext({ cert: read(`${host}.crt`), key: read(`${host}.key`) })]));
}

function certificateFor(
  certificates: Map<string, SecureContext>,
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
): void {
  const context = certificates.get(name);
  if (context === undefined) done(new Error('no such host'));
  else done(null, context);
}

async function answer(internet: Internet, hosts: Map<string, Api>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const host = (request.headers.host ?? '').replace(/:443$/u, '');
  const api = hosts.get(host);
  const body = await bodyOf(request);
  if (api === undefined || (request.socket as TLSSocket).servername !== host) {
    internet.ledger.misdirected();
    return send(request, response, { status: 421, body: { message: 'Misdirected Request' } });
  }
  const call: Call = {
    method: request.method ?? '',
    url: new URL(request.url ?? '/', `https://${host}`),
    rawHeaders: request.rawHeaders,
    body,
  };
  const decided = decide(internet, api, call, addressOf(request));
  const latency = internet.latency.get(api.name) ?? 0;
  if (latency > 0) await sleep(latency);
  send(request, response, decided);
}

/** Judged when the request has arrived whole: a token revoked before that is refused. */
function decide({ ledger }: Internet, api: Api, call: Call, from: string): Answer {
  const taken = take(api, call);
  const accepted = ledger.judge(api.name, taken, from);
  if (call.url.pathname === echo) return { status: 200, body: { ...call, body: call.body.toString() } };
  if (!accepted) return api.refusal(taken.credential !== undefined);
  const answered = route(api, call);
  if (answered === undefined) ledger.unrouted(api.name);
  return answered ?? api.notFound;
}

/** As people write it: IPv4 is not shown mapped into IPv6. */
function addressOf(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/u, '');
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function send(request: IncomingMessage, response: ServerResponse, { status, body, headers }: Answer): void {
  const plain = Buffer.from(JSON.stringify(body));
  const zipped = /\bgzip\b/u.test(request.headers['accept-encoding'] ?? '');
  const bytes = zipped ? gzipSync(plain) : plain;
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': bytes.length,
    vary: 'Accept-Encoding',
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    ...headers,
  });
  response.end(bytes);
}
