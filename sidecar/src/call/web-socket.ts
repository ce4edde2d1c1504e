import { Failure } from '@rekey/lib/reason.ts';
import { fieldOf } from '../http/fields.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { ResponseHead } from '../http/response-head.ts';

/** RFC 6455 section 1.3. */
const constant = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** Sixteen bytes. */
const keys = /^[A-Za-z0-9+/]{22}==$/u;

/**
 * The key of a WebSocket's opening handshake (RFC 6455 section 4.2.1, RFC 9110 section 7.8). Throws a Failure. Which version it is, the
 * upstream judges: 426 is an answer like others.
 *
 * | Upgrade     | named by Connection | method | a body | keys         | outcome        |
 * |-------------|---------------------|--------|--------|--------------|----------------|
 * | any other   | -                   | -      | -      | -            | RequestInvalid |
 * | `websocket` | no                  | -      | -      | -            | RequestInvalid |
 * | `websocket` | yes                 | not GET | -     | -            | RequestInvalid |
 * | `websocket` | yes                 | GET    | yes    | -            | RequestInvalid |
 * | `websocket` | yes                 | GET    | no     | none, 2+, of another form | RequestInvalid |
 * | `websocket` | yes                 | GET    | no     | one          | the key        |
 */
export function handshakeKey({ method, fields, control }: RequestHead): string {
  if (control.upgrade?.toLowerCase() !== 'websocket') throw invalid('the only upgrade that is forwarded is websocket');
  if (!isNamed(control.connection)) throw invalid('Connection does not name the Upgrade');
  if (method !== 'GET') throw invalid('a WebSocket begins with GET');
  if (control.chunked || control.length > 0) throw invalid('the handshake of a WebSocket has no body');
  const [key, ...others] = allOf(fields, 'sec-websocket-key');
  if (key === undefined || others.length > 0 || !keys.test(key)) throw invalid('the handshake needs one Sec-WebSocket-Key of 16 bytes');
  return key;
}

const invalid = (message: string): Failure => new Failure('RequestInvalid', message);

const isNamed = (connection: string): boolean => connection.split(',').some((option) => option.trim() === 'upgrade');

const allOf = (fields: readonly string[], name: string): string[] =>
  fields.filter((_value, at) => at % 2 === 1 && fields[at - 1]?.toLowerCase() === name);

/**
 * Whether a 101 is the answer to this handshake (RFC 6455 section 4.1): only then are the bytes behind it no HTTP any more. Who answers
 * without having read the key is no WebSocket.
 */
export function isSwitched({ fields, control, current }: ResponseHead, key: string): boolean {
  if (!current || control.upgrade?.toLowerCase() !== 'websocket' || !isNamed(control.connection)) return false;
  if (control.chunked || control.length >= 0) return false;
  // Loaded by the first WebSocket.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return fieldOf(fields, 'sec-websocket-accept') === createHash('sha1').update(`${key}${constant}`).digest('base64');
}
