import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { Failure } from '@rekey/lib/reason.ts';
import type { Fields } from './hop.ts';
import type { Rule, Table } from './rule.ts';

/** Fields that decide where a request goes and where it ends: each at most once (RFC 9112 sections 3.2 and 6.3). */
const single = new Set(['host', 'upgrade', 'transfer-encoding', 'content-length']);
const lengths = new Set([...single].map((name) => name.length));

/** How the request's body is framed, and the one Host. */
interface Framing {
  authority: string;
  chunked: boolean;
  /** The Content-Length, or undefined when there is none. */
  length: string | undefined;
}

/** A request that may go on: its rule, its target in origin form, and its framing. */
export interface Checked extends Framing {
  rule: Rule;
  target: string;
}

/**
 * What the parser lets pass and this door does not. Throws a Failure.
 *
 * | what                                             | reason             |
 * |--------------------------------------------------|--------------------|
 * | CONNECT, TRACE                                   | MethodNotSupported |
 * | Host missing; Host, Content-Length or Transfer-Encoding twice | RequestInvalid |
 * | Upgrade; a transfer coding that is not `chunked` | RequestInvalid     |
 * | a target with a fragment, or neither a path nor `*` of OPTIONS | RequestInvalid |
 * | Host or target name another host than the TLS handshake did    | HostNotConfigured |
 * | no credential has this host and port             | HostNotConfigured  |
 */
export function check(request: IncomingMessage, table: Table): Checked {
  const { method = '', url = '', rawHeaders } = request;
  if (method === 'CONNECT' || method === 'TRACE') throw new Failure('MethodNotSupported');
  const framing = framingOf(rawHeaders);
  const { servername, localPort } = request.socket as TLSSocket;
  const host = typeof servername === 'string' ? servername.toLowerCase() : '';
  const key = `${host}:${localPort}`;
  if (!names(framing.authority, host, key))
    throw new Failure('HostNotConfigured', 'the Host header and the TLS handshake name different hosts');
  const target = originForm(method, url, host, key);
  const rule = table.find(key);
  if (rule === undefined) throw new Failure('HostNotConfigured');
  return { rule, target, ...framing };
}

/** Throws when the fields are not fit to be forwarded. */
function framingOf(fields: Fields): Framing {
  const { host, upgrade, 'transfer-encoding': coding, 'content-length': length } = singleFields(fields);
  if (host === undefined) throw new Failure('RequestInvalid', 'the request has no Host');
  if (upgrade !== undefined) throw new Failure('RequestInvalid', 'upgrades such as WebSocket are not forwarded');
  if (coding === undefined) return { authority: host, chunked: false, length };
  if (coding.toLowerCase() !== 'chunked') throw new Failure('RequestInvalid', 'the only transfer coding is chunked');
  if (length !== undefined) throw new Failure('RequestInvalid', 'the request has two lengths');
  return { authority: host, chunked: true, length };
}

function singleFields(fields: Fields): Partial<Record<string, string>> {
  const seen: Partial<Record<string, string>> = {};
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] ?? '';
    if (!lengths.has(name.length)) continue;
    const lower = name.toLowerCase();
    if (!single.has(lower)) continue;
    if (seen[lower] !== undefined) throw new Failure('RequestInvalid', `the request has more than one ${lower}`);
    seen[lower] = fields[at + 1] ?? '';
  }
  return seen;
}

/** Whether an authority is this host, with the port or without. */
function names(authority: string, host: string, key: string): boolean {
  const lower = authority.toLowerCase();
  return lower === key || lower === host;
}

/** RFC 9112 section 3.2: a server takes the absolute form too, but only for itself. */
function originForm(method: string, url: string, host: string, key: string): string {
  if (url.includes('#')) throw new Failure('RequestInvalid', 'the target has a fragment');
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return url;
  const absolute = /^https:\/\/([^/?]*)(.*)$/iu.exec(url);
  if (absolute === null) throw new Failure('RequestInvalid', 'the target is neither a path nor an https URL');
  const [, authority = '', rest = ''] = absolute;
  if (!names(authority, host, key)) throw new Failure('HostNotConfigured', 'the target and the TLS handshake name different hosts');
  return rest.startsWith('/') ? rest : `/${rest}`;
}
