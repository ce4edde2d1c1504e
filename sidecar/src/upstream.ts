import type { ClientRequest, RequestOptions } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { SecureContext, TLSSocket } from 'node:tls';
import { errorCode } from '@rekey/lib/log.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Metrics } from './metrics.ts';

export interface UpstreamOptions {
  lookup: LookupFunction;
  /** PEM certificates that upstreams are verified with. */
  trust: () => string[];
  metrics: Metrics;
  connectMilliseconds?: number;
  idleMilliseconds?: number;
}

/** One request as it leaves, without its body. `fields` are flat pairs and complete: Host and framing are among them. */
export interface Outgoing {
  host: string;
  port: number;
  method: string;
  target: string;
  fields: readonly string[];
}

export interface Upstream {
  /** Sends the head on a kept connection if there is one; `fresh` demands a new one. The caller writes and ends the body. */
  send(outgoing: Outgoing, fresh: boolean): ClientRequest;
  /** Parses the roots, so that the first call need not. */
  prepare(): void;
  stop(): void;
}

type Created = (error: Error | null, stream: Duplex) => void;

interface Dialling {
  metrics: Metrics;
  context: () => SecureContext;
  connectMilliseconds: number;
}

/** Keeps connections to upstreams. Each is dialled to an address that `lookup` has checked, and verified against the host's name. */
class Connections extends https.Agent {
  readonly #metrics: Metrics;
  readonly #context: () => SecureContext;
  readonly #connectMilliseconds: number;

  constructor(options: https.AgentOptions, { metrics, context, connectMilliseconds }: Dialling) {
    super(options);
    this.#metrics = metrics;
    this.#context = context;
    this.#connectMilliseconds = connectMilliseconds;
  }

  override createConnection(options: RequestOptions, created?: Created): Duplex | null | undefined {
    // An option of tls.connect, to which https hands its options on.
    const verified = Object.assign(options, { secureContext: this.#context() });
    const socket = super.createConnection(verified, created) as TLSSocket;
    const late = (): void => void socket.destroy(new Failure('UpstreamTimeout'));
    const timer = setTimeout(late, this.#connectMilliseconds);
    this.#metrics.connections += 1;
    socket.once('secureConnect', () => clearTimeout(timer));
    socket.once('close', () => {
      clearTimeout(timer);
      this.#metrics.connections -= 1;
    });
    return socket;
  }
}

export function createUpstream({
  lookup,
  trust,
  metrics,
  connectMilliseconds = 10_000,
  idleMilliseconds = 45_000,
}: UpstreamOptions): Upstream {
  // One context for all connections: making one parses every root certificate, which takes some 20 ms.
  let made: SecureContext | undefined;
  const context = (): SecureContext => (made ??= tls.createSecureContext({ ca: trust(), minVersion: 'TLSv1.2' }));
  const dialling = { metrics, context, connectMilliseconds };
  const options = { lookup, rejectUnauthorized: true, noDelay: true, ALPNProtocols: ['http/1.1'], maxCachedSessions: 64 };
  const limits = { scheduling: 'lifo' as const, maxSockets: 256, maxFreeSockets: 32, timeout: idleMilliseconds };
  const kept = new Connections({ ...options, ...limits, keepAlive: true }, dialling);
  const fresh = new Connections({ ...options, maxSockets: 256, keepAlive: false }, dialling);
  return {
    send: ({ host, port, method, target, fields }, demandsFresh) =>
      https.request({
        agent: demandsFresh ? fresh : kept,
        host,
        port,
        servername: host,
        method,
        path: target,
        headers: fields,
        setHost: false,
        // A stream may be silent for minutes: no time-out once the connection stands.
        timeout: 0,
        maxHeaderSize: 65_536,
      }),
    prepare: () => void context(),
    stop: () => {
      kept.destroy();
      fresh.destroy();
    },
  };
}

const lost = new Set(['ECONNRESET', 'EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'HPE_INVALID_EOF_STATE']);

/** Whether the other side ended the connection, as it may at any time with one that is idle (RFC 9112 section 9.3.1). */
export const isLost = (error: unknown): boolean => lost.has(errorCode(error));

const socketOf = (request: ClientRequest | undefined): TLSSocket | null => (request?.socket ?? null) as TLSSocket | null;

/** Whether the request has a connection to an upstream whose certificate was verified: only then is anything sent. */
export const isVerified = (request: ClientRequest | undefined): boolean => socketOf(request)?.authorized === true;

/** Why a request got no answer. */
export function upstreamFailure(error: unknown, request: ClientRequest): Failure {
  return error instanceof Failure ? error : new Failure(reasonOf(error, request));
}

function reasonOf(error: unknown, request: ClientRequest): Reason {
  // Set when the chain or the name does not verify; the codes are OpenSSL's and many.
  if (socketOf(request)?.authorizationError) return 'UpstreamCertificateInvalid';
  if (isVerified(request)) return 'UpstreamReset';
  return errorCode(error) === 'ETIMEDOUT' ? 'UpstreamTimeout' : 'UpstreamUnreachable';
}
