import type { Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Connection } from './connection.ts';
import type { House } from './connection.ts';
import type { Entrance } from '../entrance.ts';
import type { Means } from '../call/means.ts';
import type { Table } from '../inject/rule.ts';

const sweepMilliseconds = 1000;

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
  #isSweeping = false;

  constructor(means: Means, table: Table, clock: Clock) {
    this.means = means;
    this.table = table;
    this.#clock = clock;
    this.now = () => clock.now();
  }

  /** A socket was accepted. Beyond the limit the connection that is idle for longest gives way to it, or it goes itself. */
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

  /** It may carry requests now. */
  add(socket: Socket, entrance: Entrance): void {
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
    this.#giveWay();
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

  /**
   * The connection that is idle for longest goes, of the kind of which there are more: connections that never ask for anything must not
   * take one from a client that is about to use it again, whose next call would fail. Whether there was one.
   */
  #giveWay(): boolean {
    const [oldest] = this.#unused.size >= this.#kept.size ? this.#unused : this.#kept;
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
