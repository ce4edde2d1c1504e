import { Failure } from '@rekey/lib/reason.ts';
import type { Entrance } from '../entrance.ts';
import { Malformed } from '../http/malformed.ts';
import type { RequestHead } from '../http/request-head.ts';
import type { Rule, Table } from '../inject/rule.ts';
import { handshakeKey } from './web-socket.ts';

/** A request that may go on: its head, its rule, its upstream, and its target in origin form. */
export interface Checked {
  head: RequestHead;
  rule: Rule;
  host: string;
  port: number;
  target: string;
  /** The key of a WebSocket's handshake. */
  webSocket: string | undefined;
}

/**
 * What is good HTTP/1.1, and does not pass this door. Throws a Failure, or Malformed where the status is a particular one.
 *
 * | what                                             | reason             |
 * |--------------------------------------------------|--------------------|
 * | CONNECT, TRACE                                   | MethodNotSupported |
 * | Host missing                                     | RequestInvalid     |
 * | an Upgrade that is not a WebSocket's handshake   | RequestInvalid     |
 * | an Expect that is not 100-continue               | RequestInvalid, 417 |
 * | a target with a fragment, or neither a path nor `*` of OPTIONS | RequestInvalid |
 * | Host or target name another host than the one of the entrance  | HostNotConfigured |
 * | no credential has this host and port             | HostNotConfigured  |
 */
export function check(head: RequestHead, entrance: Entrance, table: Table): Checked {
  const { method, control } = head;
  if (method === 'CONNECT' || method === 'TRACE') throw new Failure('MethodNotSupported');
  const webSocket = control.upgrade === undefined ? undefined : handshakeKey(head);
  if (control.expect !== undefined && control.expect !== '100-continue') throw new Malformed('the only expectation is 100-continue', 417);
  if (control.host === undefined) throw new Failure('RequestInvalid', 'the request has no Host');
  if (!entrance.names(control.host)) {
    throw new Failure('HostNotConfigured', 'the Host header names another host than the one that the connection was made for');
  }
  if (entrance.once) control.connection = 'close';
  const target = originForm(head, entrance);
  const { host, port } = entrance;
  const rule = table.find(entrance);
  if (rule === undefined) throw new Failure('HostNotConfigured');
  return { head, rule, host, port, target, webSocket };
}

/** RFC 9112 section 3.2: a server takes the absolute form too, but only for itself. */
function originForm({ method, target }: RequestHead, entrance: Entrance): string {
  if (target.includes('#')) throw new Failure('RequestInvalid', 'the target has a fragment');
  if (target.startsWith('/') || (target === '*' && method === 'OPTIONS')) return target;
  const scheme = `${entrance.scheme}://`;
  if (target.slice(0, scheme.length).toLowerCase() !== scheme) {
    throw new Failure('RequestInvalid', `the target is neither a path nor a URL of ${entrance.scheme}`);
  }
  const rest = target.slice(scheme.length);
  const end = rest.search(/[/?]/u);
  const [authority, path] = end < 0 ? [rest, ''] : [rest.slice(0, end), rest.slice(end)];
  if (entrance.names(authority)) return path.startsWith('/') ? path : `/${path}`;
  throw new Failure('HostNotConfigured', 'the target names another host than the one that the connection was made for');
}
