import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Connection } from './connection.ts';
import type { House } from './connection.ts';
import type { Entrance } from '../entrance.ts';
import type { Means } from '../call/means.ts';
import type { Table } from '../inject/rule.ts';

const sweepMilliseconds = 1000;
/** So many of either kind stay while others can go: a client that has just come needs a moment until it asks. */
const stays = { unready: 32, unused: 16 } as const;

/** All connections of clients: keeps their number and their times within the limits. */
export class Clients implements House {
  readonly means: Means;
  readonly table: Table;
  readonly now: () => number;
  isStopping = false;
  readonly #clock: Clock;
  readonly #all = new Set<Connection>();
  /** Idle ones, the one that is so for longest first: those that have not carried a call yet, and those that have. */
  readonly #unused = new Set<Connection>();
  readonly #kept = new Set<Connection>();
  readonly #sockets = new Set<Socket>();
  /** Accepted, but not through their handshake or their CONNECT, the oldest first. */
  readonly #unready = new Map<string, Socket>();
  #isSweeping = false;

  constructor(means: Means, table: Table, clock: Clock) {
    this.means = means;
    this.table = table;
    this.#clock = clock;
    this.now = () => clock.now();
  }

  /** A socket was accepted. Beyond the limit one that is idle gives way to it, or it goes itself. */
  accepted(socket: Socket): void {
    this.#sockets.add(socket);
    this.means.metrics.clients += 1;
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.means.metrics.clients -= 1;
    });
    if (this.#sockets.size <= this.means.limits.connections) return;
    this.means.metrics.limit('connections');
    if (!this.#giveWay()) socket.destroy();
  }

  /** It has to say more before it can carry a request; `ready` tells when it has. */
  unready(socket: Socket): void {
    if (socket.destroyed) return;
    const peer = peerOf(socket);
    this.#unready.set(peer, socket);
    socket.once('close', () => {
      if (this.#unready.get(peer) === socket) this.#unready.delete(peer);
    });
  }

  /** The socket itself, or what speaks TLS on it. */
  ready(socket: Socket): void {
    this.#unready.delete(peerOf(socket));
  }

  /** It may carry requests now. */
  add(socket: Socket, entrance: Entrance): void {
    if (socket.destroyed) return;
    this.#all.add(new Connection(socket, entrance, this));
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#clock.after(sweepMilliseconds, () => this.#sweep());
  }

  busy(connection: Connection): void {
    this.#unused.delete(connection);
    this.#kept.delete(connection);
  }

  idle(connection: Connection): void {
    const alike = connection.hasCarried ? this.#kept : this.#unused;
    alike.add(connection);
    if (this.#unused.size + this.#kept.size <= this.means.limits.idle) return;
    this.means.metrics.limit('idle');
    this.#idleGivesWay();
  }

  closed(connection: Connection): void {
    this.#all.delete(connection);
    this.busy(connection);
  }

  /** No further requests: idle connections end now, the others with their answers. */
  stop(): void {
    this.isStopping = true;
    for (const connection of this.#all) connection.endIfIdle();
  }

  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Whether there was one that could. */
  #giveWay(): boolean {
    return this.#unreadyGivesWay(stays.unready) || this.#idleGivesWay() || this.#unreadyGivesWay(0);
  }

  #unreadyGivesWay(stay: number): boolean {
    if (this.#unready.size <= stay) return false;
    const [[peer, oldest] = []] = this.#unready;
    if (peer === undefined || oldest === undefined) return false;
    this.#unready.delete(peer);
    oldest.destroy();
    return true;
  }

  /**
   * The connection that is so for longest goes. Those that never asked for anything go first: a client that has called is about to use its
   * connection again, and would lose that call.
   */
  #idleGivesWay(): boolean {
    const [oldest] = this.#unused.size > stays.unused || this.#kept.size === 0 ? this.#unused : this.#kept;
    if (oldest === undefined) return false;
    this.busy(oldest);
    oldest.giveWay();
    return true;
  }

  #sweep(): void {
    const now = this.#clock.now();
    for (const connection of this.#all) {
      const limit = connection.endIfOverdue(now);
      if (limit !== undefined && limit !== 'idleMilliseconds') this.means.metrics.limit(limit);
    }
    this.#isSweeping = this.#all.size > 0;
    if (this.#isSweeping) this.#clock.after(sweepMilliseconds, () => this.#sweep());
  }
}

/** TLS on a socket has its ends, but is another object. */
function peerOf({ localPort, remoteAddress, remotePort }: Socket): string {
  return `${localPort} ${remoteAddress} ${remotePort}`;
}
