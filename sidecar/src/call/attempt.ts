import { Failure } from '@rekey/lib/reason.ts';
import type { RequestBody } from './body.ts';
import type { Checked } from './head.ts';
import type { Means } from './means.ts';
import type { Turn } from '../turn.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { Exchange, UpstreamConnection } from '../upstream/upstream-connection.ts';

/** Methods whose repetition does no harm (RFC 9110 section 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Whom an attempt tells besides of the answer. */
export interface Attempted extends Exchange {
  /** There is no connection. */
  undialled(failure: Failure): void;
}

/** Gets a call's request to its upstream: on a kept connection where that is safe, or on a new one. */
export class Attempt {
  /** What carries the request; undefined before, and once its answer is whole. */
  connection: UpstreamConnection | undefined;
  /** A request has gone to a verified upstream. */
  reached = false;
  /** Milliseconds that the upstream took: from sending to the answer's head, with connecting; of all that was sent. */
  waited = 0;
  readonly isIdempotent: boolean;
  readonly #upstream: Upstream;
  readonly #checked: Checked;
  readonly #upload: RequestBody;
  readonly #turn: Turn;
  #cancel: (() => void) | undefined;
  #sentAt: number | undefined;

  constructor({ upstream, turn }: Pick<Means, 'upstream' | 'turn'>, checked: Checked, upload: RequestBody) {
    this.#upstream = upstream;
    this.#turn = turn;
    this.#checked = checked;
    this.#upload = upload;
    this.isIdempotent = idempotent.has(checked.head.method);
  }

  /** Sends the head, and the body as it comes. `fresh` demands a new connection. */
  send(head: string, fresh: boolean, told: Attempted): void {
    const { host, port } = this.#checked;
    this.arrived();
    this.#sentAt = performance.now();
    const kept = fresh ? undefined : this.#upstream.take(host, port, this.isIdempotent);
    if (kept === undefined) return this.#dial(head, told);
    if (this.isIdempotent) return this.#begin(kept, head, told);
    // The kernel may know already that the other side has ended it: then we hear of it before this turn ends.
    let isCancelled = false;
    this.#turn.atEnd({
      endTurn: () => {
        if (isCancelled) return;
        this.#cancel = undefined;
        if (kept.isOpen) this.#begin(kept, head, told);
        else this.#dial(head, told);
      },
    });
    this.#cancel = () => {
      isCancelled = true;
      kept.destroy();
    };
  }

  /** The upstream is waited for no longer: it has begun to answer, or nobody asks any more. */
  arrived(): void {
    if (this.#sentAt === undefined) return;
    this.waited += performance.now() - this.#sentAt;
    this.#sentAt = undefined;
    this.#turn.came();
  }

  /** Ends it, wherever it is. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.connection?.destroy();
    this.connection = undefined;
  }

  /** Ends it once what was written is on its way. */
  finish(): void {
    this.connection?.finish();
    this.connection = undefined;
  }

  /**
   * Whether the request may be sent again after it got no answer (RFC 9112 section 9.3.1, RFC 9110 section 9.2.2).
   *
   * | its bytes     | the connection had been in use before | method     | again |
   * |---------------|---------------------------------------|------------|-------|
   * | never left    | -                                     | any        | yes   |
   * | may have left | yes: it may have been closed meanwhile | idempotent | yes   |
   * | may have left | any other                             | any        | no    |
   */
  mayRepeat(reused: boolean, untaken: boolean): boolean {
    return this.#upload.replayable && (untaken || (reused && this.isIdempotent));
  }

  #dial(head: string, told: Attempted): void {
    const { host, port } = this.#checked;
    this.#cancel = this.#upstream.dial(host, port, (connection, failure) => {
      this.#cancel = undefined;
      if (connection === undefined) told.undialled(failure ?? new Failure('UpstreamUnreachable'));
      else this.#begin(connection, head, told);
    });
  }

  #begin(connection: UpstreamConnection, head: string, told: Exchange): void {
    this.connection = connection;
    this.reached = true;
    connection.begin(told, this.#checked.head.method, head);
    this.#upload.attach(connection);
    connection.send();
  }
}
