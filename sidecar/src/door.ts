import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Failure } from '@rekey/lib/reason.ts';
import { endWithAnswer, failureOf, sendAnswer } from './answer.ts';
import type { Means } from './forward.ts';
import { Call } from './forward.ts';
import type { Checked } from './head.ts';
import { check } from './head.ts';
import type { Table } from './rule.ts';

export interface DoorOptions {
  means: Means;
  table: Table;
  /** Names that a handshake may ask for. */
  hosts: ReadonlySet<string>;
  context: () => SecureContext;
  ports: readonly number[];
  log: Log;
}

export interface Door {
  /** Stops accepting, lets calls in flight finish for up to `milliseconds`, then cuts them off. */
  stop(milliseconds: number): Promise<void>;
}

/** Loopback alone: no other pod may reach this door. The second may be missing. */
const addresses = ['127.0.0.1', '::1'];

/** Opens the door that the pod's hosts file leads to. Rejects when a port on 127.0.0.1 is taken. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const opening = options.ports.flatMap((port) => addresses.map((address) => listen(createServer(options), port, address)));
  const servers: https.Server[] = [];
  for (const { status, value, reason } of (await Promise.allSettled(opening)) as (PromiseFulfilledResult<https.Server> &
    PromiseRejectedResult)[]) {
    if (status === 'fulfilled') servers.push(value);
    else if (!isMissing(reason)) throw reason;
    else options.log('warn', 'no listener on the IPv6 loopback', { code: errorCode(reason) });
  }
  return { stop: (milliseconds) => stop(servers, milliseconds) };
}

function createServer({ means, table, hosts, context, log }: DoorOptions): https.Server {
  const server = https.createServer({
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // The server itself has no certificate: without a known name the handshake fails, with an alert.
    SNICallback: (name, done) => done(null, hosts.has(name.toLowerCase()) ? context() : undefined),
    insecureHTTPParser: false,
    requireHostHeader: false, // asked for in head.ts, with a reason
    maxHeaderSize: 32_768,
    headersTimeout: 60_000,
    requestTimeout: 0,
    keepAliveTimeout: 600_000,
    noDelay: true,
  });
  const take = (request: IncomingMessage, response: ServerResponse): void => receive({ means, table }, request, response);
  server.on('request', take).on('checkContinue', take).on('checkExpectation', take);
  const refuse = (_request: IncomingMessage, socket: Duplex): void => refuseConnect(means, socket);
  server.on('connect', refuse);
  server.on('clientError', (error: Error, socket: Duplex) => malformed(means, error, socket));
  server.on('tlsClientError', (error: Error) => log('debug', 'a TLS handshake failed', { code: errorCode(error) }));
  return server;
}

function receive({ means, table }: { means: Means; table: Table }, request: IncomingMessage, response: ServerResponse): void {
  let checked: Checked;
  try {
    checked = check(request, table);
  } catch (error) {
    return refuse(means, request, response, failureOf(error, 'RequestInvalid'));
  }
  new Call(means, request, response, checked).start();
}

/** A call that no rule is for: answered, counted, audited, and its connection ended, since nobody knows what else it holds. */
function refuse({ metrics, audit }: Means, request: IncomingMessage, response: ServerResponse, failure: Failure): void {
  request.on('error', () => {}).resume();
  const { method = '', url = '' } = request;
  const status = sendAnswer(response, failure, true);
  metrics.error(failure.reason);
  metrics.counters('').add(status, 0);
  const { servername } = request.socket as { servername?: string };
  const nobody = {
    credential: undefined,
    version: undefined,
    cache: 'none' as const,
    injected: false,
    replayed: false,
    traceparent: undefined,
  };
  audit.add({ ...nobody, host: servername ?? '', method, target: url, status, latencyMilliseconds: 0, reason: failure.reason });
}

function refuseConnect({ metrics }: Means, socket: Duplex): void {
  metrics.error('MethodNotSupported');
  metrics.counters('').add(405, 0);
  socket.on('error', () => {});
  endWithAnswer(socket, 'MethodNotSupported');
}

function malformed({ metrics }: Means, error: Error, socket: Duplex): void {
  const code = errorCode(error);
  // An answer must not be written into the midst of another one (Node's own handler looks at the same field).
  const busy = (socket as { _httpMessage?: unknown })._httpMessage ?? undefined;
  if (!socket.writable || code === 'ECONNRESET' || busy !== undefined) return void socket.destroy();
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  metrics.error('RequestInvalid');
  metrics.counters('').add(status, 0);
  endWithAnswer(socket, 'RequestInvalid', status);
}

function listen(server: https.Server, port: number, address: string): Promise<https.Server> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(Object.assign(error, { address })));
    server.listen({ port, host: address, ipv6Only: true }, () => resolve(server));
  });
}

function isMissing(error: unknown): boolean {
  return (error as { address?: string }).address === '::1';
}

async function stop(servers: readonly https.Server[], milliseconds: number): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  // A kept-alive connection becomes idle when its last answer is out, and nobody else ends it then.
  const sweep = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 50);
  const deadline = setTimeout(() => servers.forEach((server) => server.closeAllConnections()), milliseconds);
  await Promise.all(closed);
  clearInterval(sweep);
  clearTimeout(deadline);
}
