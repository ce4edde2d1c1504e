import net from 'node:net';
import type { LookupFunction, Server, Socket } from 'node:net';
import tls from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Log } from '@rekey/lib/log.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { ciphers } from '../tls/ciphers.ts';
import { Clients } from './clients.ts';
import type { Clock } from '../clock.ts';
import { throughBaseUrl, throughTls } from '../entrance.ts';
import type { Entrance } from '../entrance.ts';
import type { Entrances } from './entrances.ts';
import type { Means } from '../call/means.ts';
import { proxied } from './proxy.ts';
import type { Table } from '../inject/rule.ts';

export interface DoorOptions {
  means: Means;
  table: Table;
  entrances: Entrances;
  context: () => SecureContext;
  /** For what the proxy lets pass. */
  lookup: LookupFunction;
  log: Log;
  clock: Clock;
}

export interface Door {
  /** Stops accepting, lets calls in flight finish for up to `milliseconds`, then cuts them off. */
  stop(milliseconds: number): Promise<void>;
}

/** Loopback alone: no other pod may reach this door. The second may be missing. */
const addresses = ['127.0.0.1', '::1'];

/** Opens what the pod's hosts file, its proxy variables and its base URLs lead to. Rejects when a port on 127.0.0.1 is taken. */
export async function openDoor(options: DoorOptions): Promise<Door> {
  const { means, table, clock, entrances, log } = options;
  const clients = new Clients(means, table, clock);
  const opening = [
    ...entrances.ports.map((port) => ({ port, open: () => tlsServer(options, clients) })),
    ...(entrances.proxy === undefined ? [] : [{ port: entrances.proxy.port, open: () => proxyServer(options, clients) }]),
    ...entrances.baseUrls.map(({ port, upstream }) => ({ port, open: () => plainServer(clients, throughBaseUrl(port, upstream)) })),
  ].flatMap(({ port, open }) => addresses.map((address) => listen(open(), port, address)));
  const servers: Server[] = [];
  for (const { status, value, reason } of (await Promise.allSettled(opening)) as (PromiseFulfilledResult<Server> &
    PromiseRejectedResult)[]) {
    if (status === 'fulfilled') servers.push(value);
    else if (!isMissing(reason)) throw reason;
    else log('warn', 'no listener on the IPv6 loopback', { code: errorCode(reason) });
  }
  return { stop: (milliseconds) => stop(servers, clients, milliseconds) };
}

/** What we show to clients that speak TLS. Without a known name the handshake fails, with an alert: there is no other certificate. */
function terms({ entrances: { names }, context }: DoorOptions): tls.TlsOptions {
  const known = new Set(names);
  const isKnown = (name: string): boolean => known.has(name) || known.has(`*${name.slice(name.indexOf('.'))}`);
  return {
    minVersion: 'TLSv1.2',
    ciphers, // not of the context: OpenSSL takes no suites from a context that comes with a name
    honorCipherOrder: true, // the default of a tls.Server, but not of a TLSSocket behind a CONNECT
    ALPNProtocols: ['http/1.1'],
    SNICallback: (name, done) => done(null, isKnown(name.toLowerCase()) ? context() : undefined),
  };
}

function tlsServer(options: DoorOptions, clients: Clients): Server {
  const server = tls.createServer({ ...terms(options), handshakeTimeout: options.means.limits.handshakeMilliseconds });
  server.on('connection', (socket: Socket) => {
    clients.accepted(socket);
    clients.unready(socket);
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    clients.ready(socket);
    clients.add(socket, throughTls('hosts', nameOf(socket), socket.localPort ?? 0));
  });
  server.on('tlsClientError', (error: Error) => options.log('debug', 'a TLS handshake failed', { code: errorCode(error) }));
  return server;
}

function nameOf(socket: TLSSocket): string {
  const { servername } = socket as { servername?: string | false };
  return typeof servername === 'string' ? servername.toLowerCase() : '';
}

function plainServer(clients: Clients, entrance: Entrance): Server {
  return net.createServer((socket) => {
    clients.accepted(socket);
    clients.add(socket, entrance);
  });
}

function proxyServer(options: DoorOptions, clients: Clients): Server {
  const { means, table, lookup, entrances } = options;
  const others = entrances.proxy?.others ?? 'Refuse';
  const secure = (socket: Socket, entrance: Entrance): void => handshake(socket, entrance, options, clients);
  return net.createServer((socket) => {
    clients.accepted(socket);
    clients.unready(socket);
    proxied(socket, { means, table, clients, lookup, others, secure });
  });
}

/** TLS with a client of the proxy. What it names in the handshake must be what it asked the proxy for. */
function handshake(socket: Socket, entrance: Entrance, options: DoorOptions, clients: Clients): void {
  const secured = new tls.TLSSocket(socket, { ...terms(options), isServer: true });
  const late = setTimeout(() => socket.destroy(), options.means.limits.handshakeMilliseconds).unref();
  clients.unready(socket);
  secured.on('error', (error) => {
    options.log('debug', 'a TLS handshake failed', { code: errorCode(error) });
    socket.destroy();
  });
  secured.once('close', () => clearTimeout(late));
  secured.once('secure', () => {
    clearTimeout(late);
    clients.ready(socket);
    if (nameOf(secured) === entrance.host) clients.add(secured, entrance);
    else secured.destroy();
  });
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
