import type { LookupFunction } from 'node:net';
import tls from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Turn } from '../turn.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { Home } from './upstream-connection.ts';

export interface UpstreamOptions {
  lookup: LookupFunction;
  /** What upstreams are verified with. */
  trusted: () => SecureContext;
  metrics: Metrics;
  turn: Turn;
  connectMilliseconds?: number;
  idleMilliseconds?: number;
}

/** Told once: a verified connection, or why there is none. */
export type Dialled = (connection: UpstreamConnection | undefined, failure: Failure | undefined) => void;

/** The most that are kept idle, of all hosts together. With fewer than there are calls at a time, each pays for a handshake: four times the CPU of all else. */
const mostIdle = 128;
/** Beyond, hosts without a connection are forgotten: with a wildcard the client says how many there are. */
const mostHosts = 256;
/** A request that must not be sent twice goes on a connection that was in use so shortly ago: servers end idle ones after 2 s and more. */
const freshMilliseconds = 2000;

interface Address {
  host: string;
  port: number;
}

/** What the connections of all hosts have in common. */
interface Shared {
  turn: Turn;
  idleMilliseconds: number;
  /** How many of all are idle. */
  idle: number;
  /** Too many are: the one that is so for longest gives way. */
  crowded: () => void;
}

/** Connections to one host and port: dialled to an address that `lookup` has checked, verified against the host's name, and kept. */
class Kept implements Home {
  readonly #dial: (session: Buffer | undefined, read: (bytes: Buffer) => void) => TLSSocket;
  readonly #shared: Shared;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<TLSSocket>();
  #session: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(dial: (session: Buffer | undefined, read: (bytes: Buffer) => void) => TLSSocket, shared: Shared) {
    this.#dial = dial;
    this.#shared = shared;
  }

  /** Whether nothing is lost but a session when it is forgotten. */
  get isUnused(): boolean {
    return this.#all.size === 0;
  }

  /** Since when the first one is idle. */
  get idleSince(): number {
    return this.#idle[0]?.idleSince ?? Infinity;
  }

  /** The one that was used last, if any is good for this request. */
  take(repeatable: boolean): UpstreamConnection | undefined {
    for (let connection = this.#idle.at(-1); connection !== undefined; connection = this.#idle.at(-1)) {
      const milliseconds = performance.now() - connection.idleSince;
      if (!repeatable && milliseconds > freshMilliseconds) return undefined;
      this.#idle.pop();
      this.#shared.idle -= 1;
      // The other side may say for how long it keeps it: a second less is safe.
      if (connection.isOpen && milliseconds < ((connection.kept ?? Infinity) - 1) * 1000) return connection;
      connection.destroy();
    }
    return undefined;
  }

  /** The answer ends the attempt; nobody is told then. */
  dial(dialled: Dialled): () => void {
    let made: UpstreamConnection | undefined;
    const socket = this.#dial(this.#session, (bytes) => made?.read(bytes));
    this.#all.add(socket);
    const failed = (error?: Error): void => settle(undefined, failureOf(error, socket));
    const settle: Dialled = (connection, failure) => {
      socket.off('close', failed).off('error', failed);
      socket.on('error', () => {}); // a second one of a connection that is lost already
      dialled(connection, failure);
    };
    socket.on('session', (session: Buffer) => (this.#session = session));
    socket.once('error', failed).once('close', failed);
    socket.once('close', () => this.#all.delete(socket));
    socket.once('secureConnect', () => {
      made = new UpstreamConnection(socket, this, this.#shared.turn);
      settle(made, undefined);
    });
    return () =>
      void socket
        .off('close', failed)
        .off('error', failed)
        .on('error', () => {})
        .destroy();
  }

  idle(connection: UpstreamConnection): void {
    connection.idleSince = performance.now();
    this.#idle.push(connection);
    this.#shared.idle += 1;
    if (this.#shared.idle > mostIdle) this.#shared.crowded();
    this.#timer ??= setTimeout(() => this.#sweep(), this.#shared.idleMilliseconds).unref();
  }

  /** Ends the one that is idle for longest. */
  giveWay(): void {
    const oldest = this.#idle.shift();
    if (oldest === undefined) return;
    this.#shared.idle -= 1;
    oldest.destroy();
  }

  closed(connection: UpstreamConnection): void {
    const at = this.#idle.lastIndexOf(connection);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    this.#shared.idle -= 1;
  }

  stop(): void {
    clearTimeout(this.#timer);
    for (const socket of this.#all) socket.destroy();
  }

  /** The one that waits for longest is the first. */
  #sweep(): void {
    const due = performance.now() - this.#shared.idleMilliseconds;
    while (this.idleSince <= due) this.giveWay();
    const [next] = this.#idle;
    this.#timer = next === undefined ? undefined : setTimeout(() => this.#sweep(), Math.max(1, next.idleSince - due)).unref();
  }
}

/** All connections to upstreams. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #hosts = new Map<string, Kept>();
  readonly #shared: Shared;
  /**
   * All connections are read into this: TLS decrypts into it and tells of it at once. A buffer for each read would be as much garbage
   * as there are bytes.
   */
  readonly #buffer = Buffer.allocUnsafeSlow(16_384);

  constructor(options: UpstreamOptions) {
    const { turn, idleMilliseconds = 45_000 } = options;
    this.#options = options;
    this.#shared = { turn, idleMilliseconds, idle: 0, crowded: () => this.#crowded() };
  }

  /** An idle connection, or undefined. `repeatable`: sending the request twice would do no harm. */
  take(host: string, port: number, repeatable: boolean): UpstreamConnection | undefined {
    return this.#of(host, port).take(repeatable);
  }

  /** A new connection. The answer ends the attempt. */
  dial(host: string, port: number, dialled: Dialled): () => void {
    return this.#of(host, port).dial(dialled);
  }

  /** How many hosts are remembered. */
  get hosts(): number {
    return this.#hosts.size;
  }

  /** Parses the roots, so that the first call need not. */
  prepare(): void {
    this.#options.trusted();
  }

  stop(): void {
    for (const kept of this.#hosts.values()) kept.stop();
  }

  #of(host: string, port: number): Kept {
    const key = `${host}:${port}`;
    const known = this.#hosts.get(key);
    if (known !== undefined) return known;
    if (this.#hosts.size >= mostHosts) this.#forget();
    const kept = new Kept((session, read) => this.#connect({ host, port }, session, read), this.#shared);
    this.#hosts.set(key, kept);
    return kept;
  }

  #forget(): void {
    for (const [key, kept] of this.#hosts) if (kept.isUnused) this.#hosts.delete(key);
  }

  #crowded(): void {
    let oldest: Kept | undefined;
    for (const kept of this.#hosts.values()) if (oldest === undefined || kept.idleSince < oldest.idleSince) oldest = kept;
    oldest?.giveWay();
  }

  #connect({ host, port }: Address, session: Buffer | undefined, read: (bytes: Buffer) => void): TLSSocket {
    const { lookup, metrics, trusted, connectMilliseconds = 10_000 } = this.#options;
    const options = { host, port, lookup, servername: host, secureContext: trusted(), ALPNProtocols: ['http/1.1'] };
    const onread = { buffer: this.#buffer, callback: (length: number) => handOn(this.#buffer.subarray(0, length), read) };
    // `onread` is of tls.connect too, though its types don't know (https://nodejs.org/api/tls.html#tlsconnectoptions-callback).
    const more: object = { onread, ...(session === undefined ? {} : { session }) };
    const socket = tls.connect({ ...options, rejectUnauthorized: true, ...more });
    socket.setNoDelay(true);
    const timer = setTimeout(() => socket.destroy(new Failure('UpstreamTimeout')), connectMilliseconds);
    metrics.connections += 1;
    socket.once('secureConnect', () => clearTimeout(timer));
    socket.once('close', () => {
      clearTimeout(timer);
      metrics.connections -= 1;
    });
    return socket;
  }
}

/** Why there is no connection. Set when chain or name do not verify: the codes are OpenSSL's and many. */
function failureOf(error: Error | undefined, socket: TLSSocket): Failure {
  if (error instanceof Failure) return error;
  if (socket.authorizationError) return new Failure('UpstreamCertificateInvalid');
  return new Failure(errorCode(error) === 'ETIMEDOUT' ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

/** True: go on reading. */
function handOn(bytes: Buffer, read: (bytes: Buffer) => void): boolean {
  read(bytes);
  return true;
}
