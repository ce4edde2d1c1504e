import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { Malformed } from '../http/malformed.ts';
import { linesOf } from '../http/hop.ts';

const allowed = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** RFC 9110 section 15, and RFC 6585 for 431. */
const phrases: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

const statuses: Partial<Record<Reason, number>> = {
  RequestInvalid: 400,
  HostRefused: 403,
  CallNotAllowed: 403,
  CallInClear: 403,
  MethodNotSupported: 405,
  RequestTimeout: 408,
  BodyTooLarge: 413,
  BodyNotSearchable: 415,
  HostNotConfigured: 421,
  UpstreamUnreachable: 502,
  UpstreamNameNotFound: 502,
  UpstreamAddressForbidden: 502,
  UpstreamCertificateInvalid: 502,
  UpstreamTimeout: 502,
  UpstreamReset: 502,
  AnswerNotSearchable: 502,
};

/** The status of an answer of the sidecar itself. Never 401: a client would take that for the upstream's word on its credential. */
export function statusOf(reason: Reason): number {
  return statuses[reason] ?? 503;
}

/** An answer in the sidecar's own name. */
export interface OwnAnswer {
  reason: Reason;
  message: string;
  status: number;
}

/** What went wrong, as an answer; anything that is none of ours gets `otherwise`. */
export function answerFor(error: unknown, otherwise: Reason): OwnAnswer {
  if (error instanceof Malformed) return { reason: 'RequestInvalid', message: error.message, status: error.status };
  const { reason, message } = failureOf(error, otherwise);
  return { reason, message, status: statusOf(reason) };
}

/** The bytes of it. `close` when the connection ends with it; HEAD gets no body (RFC 9110 section 9.3.2). */
export function bytesOf({ reason, message, status }: OwnAnswer, close: boolean, method = ''): Buffer {
  const body = `${JSON.stringify({ error: reason, message })}\n`;
  const fields = ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(body)), 'cache-control', 'no-store'];
  fields.push('rekey-error', reason);
  if (status === 503) fields.push('retry-after', '5');
  if (status === 502) fields.push('retry-after', '1');
  if (status === 405) fields.push('allow', allowed);
  if (status === 415) fields.push('accept-encoding', 'identity');
  if (close) fields.push('connection', 'close');
  return Buffer.from(`HTTP/1.1 ${status} ${phrases[status] ?? ''}\r\n${linesOf(fields)}\r\n${method === 'HEAD' ? '' : body}`);
}

/** What went wrong, as a Failure; anything that is none of ours gets `otherwise`. */
export function failureOf(error: unknown, otherwise: Reason): Failure {
  return error instanceof Failure ? error : new Failure(otherwise);
}
