import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Reason } from '@rekey/lib/reason.ts';
import { Failure, reasons } from '@rekey/lib/reason.ts';
import { http } from './node-http.ts';

const allowed = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** The status of an answer of the sidecar itself. Never 401: a client would take that for the upstream's word on its credential. */
export function statusOf(reason: Reason): number {
  switch (reason) {
    case 'RequestInvalid':
      return 400;
    case 'MethodNotSupported':
      return 405;
    case 'HostNotConfigured':
      return 421;
    case 'UpstreamUnreachable':
    case 'UpstreamNameNotFound':
    case 'UpstreamAddressForbidden':
    case 'UpstreamCertificateInvalid':
    case 'UpstreamTimeout':
    case 'UpstreamReset':
      return 502;
    default:
      return 503;
  }
}

interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

function answerOf(reason: Reason, message: string, status: number): Answer {
  const body = `${JSON.stringify({ error: reason, message })}\n`;
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'rekey-error': reason,
  };
  if (status === 503) headers['retry-after'] = '5';
  if (status === 502) headers['retry-after'] = '1';
  if (status === 405) headers['allow'] = allowed;
  return { status, headers, body };
}

/** Answers in the sidecar's own name. `close` when the client may not send the body that it announced. */
export function sendAnswer(response: ServerResponse, { reason, message }: Failure, close = false): number {
  const { status, headers, body } = answerOf(reason, message, statusOf(reason));
  if (close) headers['connection'] = 'close';
  response.writeHead(status, headers);
  response.end(body);
  return status;
}

/** Answers on a connection whose request did not parse, and ends it. `status` where the reason's own is not particular enough. */
export function endWithAnswer(socket: Duplex, reason: Reason, status: number = statusOf(reason)): void {
  const { headers, body } = answerOf(reason, reasons[reason], status);
  const lines = Object.entries({ ...headers, connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
}

/** What went wrong, as a Failure; anything that is none of ours gets `otherwise`. */
export function failureOf(error: unknown, otherwise: Reason): Failure {
  return error instanceof Failure ? error : new Failure(otherwise);
}
