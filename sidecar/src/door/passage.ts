import net from 'node:net';
import type { LookupFunction, Socket } from 'node:net';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { isForbiddenAddress } from '../upstream/address.ts';
import { endToEndLines } from '../http/hop.ts';
import type { RequestHead } from '../http/request-head.ts';

const connectMilliseconds = 10_000;

/** Told once: a connection, or why there is none. */
type Dialled = (socket: Socket | undefined, failure: Failure | undefined) => void;

/**
 * Connects to a host that no credential is for, so that what a pod's other calls reach stays what it was. Not to loopback, link-local
 * and metadata addresses: a name that leads there is no upstream, and whoever needs them has `no_proxy`.
 */
export function dialInClear({ host, port }: { host: string; port: number }, lookup: LookupFunction, dialled: Dialled): void {
  const address = host.replace(/^\[|\]$/gu, '');
  if (net.isIP(address) !== 0 && isForbiddenAddress(address)) return dialled(undefined, new Failure('UpstreamAddressForbidden'));
  const socket = net.connect({ host: address, port, lookup, noDelay: true });
  const fail = (error: unknown): void => {
    settle();
    socket.destroy();
    dialled(undefined, failureOf(error));
  };
  const timer = setTimeout(() => fail(new Failure('UpstreamTimeout')), connectMilliseconds).unref();
  const connected = (): void => {
    settle();
    dialled(socket, undefined);
  };
  const settle = (): void => {
    clearTimeout(timer);
    socket.off('error', fail).off('connect', connected);
  };
  socket.on('error', fail).on('connect', connected);
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(errorCode(error) === 'ETIMEDOUT' ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

/** Bytes both ways, as they are, until either side ends; `first` goes to the other side before all else. */
export function tunnel(socket: Socket, other: Socket, first: readonly (Buffer | string)[]): void {
  for (const piece of first) if (piece.length > 0) other.write(piece);
  for (const [one, two] of [
    [socket, other],
    [other, socket],
  ] as const) {
    one.on('error', () => two.destroy()).on('close', () => two.destroy());
    one.pipe(two);
  }
}

/** A request in clear as its server gets it: in origin form, without what is of the connection, which ends with the answer. */
export function plainRequest({ method, target, fields, control }: RequestHead): string {
  const path = target.replace(/^[a-z]+:\/\/[^/?#]*/iu, '');
  const framing = control.chunked ? 'Transfer-Encoding: chunked\r\n' : '';
  const lines = endToEndLines(fields, control.connection);
  return `${method} ${path.startsWith('/') ? path : `/${path}`} HTTP/1.1\r\n${lines}${framing}Connection: close\r\n\r\n`;
}
