import type { Server, Socket } from 'node:net';
import tls from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { Clients } from './clients.ts';
import type { Clock } from './clock.ts';
import { processClock } from './clock.ts';
import { throughTls } from './entrance.ts';
import type { Means } from './forward.ts';
import type { Table } from './rule.ts';

export interface DoorOptions {
  means: Means;
  table: Table;
  /** Names that a handshake may ask for. */
  hosts: ReadonlySet<string>;
  context: () => SecureContext;
  ports: readonly number[];
  log: Log;
  clock?: Clock;
}

export interface Door {
  /** Stops accepting, lets calls in flight finish for up to `milliseconds`, then cuts them off. */
  stop(milliseconds: number): Promise<void>;
}

/** Loopback alone: no other pod may reach this door. The second may be missing. */
const addresses = ['127.0.0.1', '::1'];

/** Opens the door that the pod's hosts file leads to. Rejects when a port on 127.0.0.1 is taken. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { means, table, clock = processClock, ports, log } = options;
  const clients = new Clients(means, table, clock);
  const opening = ports.flatMap((port) => addresses.map((address) => listen(createServer(options, clients), port, address)));
  const servers: Server[] = [];
  for (const { status, value, reason } of (await Promise.allSettled(opening)) as (PromiseFulfilledResult<Server> &
    PromiseRejectedResult)[]) {
    if (status === 'fulfilled') servers.push(value);
    else if (!isMissing(reason)) throw reason;
    else log('warn', 'no listener on the IPv6 loopback', { code: errorCode(reason) });
  }
  return { stop: (milliseconds) => stop(servers, clients, milliseconds) };
}

function createServer({ means, hosts, context, log }: DoorOptions, clients: Clients): Server {
  const server = tls.createServer({
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    // The server itself has no certificate: without a known name the handshake fails, with an alert.
    SNICallback: (name, done) => done(null, hosts.has(name.toLowerCase()) ? context() : undefined),
    handshakeTimeout: means.limits.handshakeMilliseconds,
  });
  server.on('connection', (socket: Socket) => clients.accepted(socket));
  server.on('secureConnection', (socket: TLSSocket) => {
    const { servername, localPort = 0 } = socket as { servername?: string | false; localPort?: number };
    const host = typeof servername === 'string' ? servername.toLowerCase() : '';
    clients.add(socket, throughTls(host, localPort));
  });
  server.on('tlsClientError', (error: Error) => log('debug', 'a TLS handshake failed', { code: errorCode(error) }));
  return server;
}

function listen(server: Server, port: number, address: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(Object.assign(error, { address })));
    server.listen({ port, host: address, ipv6Only: true }, () => resolve(server));
  });
}

function isMissing(error: unknown): boolean {
  return (error as { address?: string }).address === '::1';
}

async function stop(servers: readonly Server[], clients: Clients, milliseconds: number): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  clients.stop();
  const deadline = setTimeout(() => clients.destroy(), milliseconds);
  await Promise.all(closed);
  clearTimeout(deadline);
}
