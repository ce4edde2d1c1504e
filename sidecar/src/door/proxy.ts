import type { LookupFunction, Socket } from 'node:net';
import { Failure } from '@rekey/lib/reason.ts';
import { answerFor, bytesOf } from '../call/answer.ts';
import type { Clients } from './clients.ts';
import { lingerMilliseconds } from './connection.ts';
import { throughTls } from '../entrance.ts';
import type { Entrance } from '../entrance.ts';
import type { Means } from '../call/means.ts';
import { findHead } from '../http/find-head.ts';
import type { RequestHead } from '../http/request-head.ts';
import { readRequestHead } from '../http/request-head.ts';
import { dialInClear, plainRequest, tunnel } from './passage.ts';
import type { Table } from '../inject/rule.ts';
import { useOfNobody } from '../call/use.ts';

export interface ProxyOptions {
  means: Means;
  table: Table;
  clients: Clients;
  lookup: LookupFunction;
  others: 'Tunnel' | 'Refuse';
  /** Shows our certificate on a socket that a CONNECT was answered on. */
  secure: (socket: Socket, entrance: Entrance) => void;
}

interface Authority {
  host: string;
  port: number;
}

/**
 * A client of the proxy: reads its first request, and then knows whom its connection is for (RFC 9110 section 9.3.6, RFC 9112 section 3.2).
 *
 * | request                     | a credential is for the host | others | outcome                                    |
 * |-----------------------------|------------------------------|--------|--------------------------------------------|
 * | CONNECT host:port           | yes                          | any    | 200, then TLS with us: the call goes as any |
 * | CONNECT host:port           | no                           | Tunnel | 200, then bytes to and from the checked address |
 * | GET https://host/…          | yes                          | any    | the call goes as any, and the connection ends with it |
 * | GET http://host/…           | yes                          | any    | CallInClear: 403                           |
 * | GET http://host/…           | no                           | Tunnel | passed on in clear, and the connection ends with it |
 * | GET https://host/…          | no                           | any    | HostNotConfigured: 421                     |
 * | CONNECT or http://          | no                           | Refuse | HostRefused: 403                           |
 * | any other                   | -                            | any    | RequestInvalid: 400                        |
 */
export function proxied(socket: Socket, options: ProxyOptions): void {
  const { means, clients } = options;
  let bytes: Buffer = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), means.limits.headMilliseconds).unref();
  const read = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    let head: RequestHead | undefined;
    try {
      const found = findHead(bytes, means.limits.headBytes);
      if (found === undefined) return;
      stop();
      head = readRequestHead(found.text);
      enter(socket, { head, whole: bytes, rest: bytes.subarray(found.end) }, options);
    } catch (error) {
      stop();
      refuse(socket, options, error, head);
    }
  };
  const stop = (): void => {
    clearTimeout(late);
    clients.ready(socket);
    socket.off('data', read).pause();
  };
  socket.on('error', () => socket.destroy()).once('close', () => clearTimeout(late));
  socket.on('data', read);
}

interface First {
  head: RequestHead;
  /** All that was read. */
  whole: Buffer;
  /** What of it follows the head. */
  rest: Buffer;
}

function enter(socket: Socket, first: First, options: ProxyOptions): void {
  const { head } = first;
  if (head.method === 'CONNECT') return connect(socket, first, options);
  const [, scheme = '', text = ''] = /^(https?):\/\/([^/?#]+)/iu.exec(head.target) ?? [];
  const isSecure = scheme.toLowerCase() === 'https';
  const authority = authorityOf(text, isSecure ? 443 : 80);
  if (authority === undefined) throw new Failure('RequestInvalid', 'a request to a proxy is a CONNECT, or names its host in the target');
  if (isSecure) direct(socket, first, authority, options);
  else inClear(socket, first, authority, options);
}

function inClear(socket: Socket, { head, rest }: First, authority: Authority, options: ProxyOptions): void {
  if (hasRule(options.table, { ...authority, port: authority.port === 80 ? 443 : authority.port })) throw new Failure('CallInClear');
  if (options.others === 'Refuse') throw new Failure('HostRefused');
  dialInClear(authority, options.lookup, (other, failure) => {
    if (other === undefined) return refuse(socket, options, failure, head);
    tunnel(socket, other, [plainRequest(head), rest]);
  });
}

function connect(socket: Socket, { head, rest }: First, options: ProxyOptions): void {
  const authority = authorityOf(head.target, undefined);
  if (authority === undefined) throw new Failure('RequestInvalid', 'the target of CONNECT is host:port');
  const entrance = throughTls('proxy', authority.host, authority.port);
  if (options.table.find(entrance) !== undefined) {
    established(socket);
    if (rest.length > 0) socket.unshift(rest);
    return options.secure(socket, entrance);
  }
  if (options.others === 'Refuse') throw new Failure('HostRefused');
  dialInClear(authority, options.lookup, (other, failure) => {
    if (other === undefined) return refuse(socket, options, failure, head);
    established(socket);
    tunnel(socket, other, [rest]);
  });
}

/** Some clients ask a proxy for https as for http. The hop to us is the pod's loopback, so there is nothing to hide from. */
function direct(socket: Socket, { whole }: First, { host, port }: Authority, { clients }: ProxyOptions): void {
  socket.unshift(whole);
  clients.add(socket, { ...throughTls('proxy', host, port), once: true });
  socket.resume();
}

function established(socket: Socket): void {
  socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
}

const hasRule = (table: Table, { host, port }: Authority): boolean => table.find(throughTls('proxy', host, port)) !== undefined;

/** No user, no path; a port unless there is a usual one. */
function authorityOf(text: string, usual: number | undefined): Authority | undefined {
  const [, name = '', digits] = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$/iu.exec(text) ?? [];
  const port = digits === undefined ? usual : Number(digits);
  if (name === '' || port === undefined || port < 1 || port > 65_535) return undefined;
  return { host: name.toLowerCase(), port };
}

function refuse(socket: Socket, { means: { metrics, audit }, clients }: ProxyOptions, error: unknown, head: RequestHead | undefined): void {
  const answer = answerFor(error, 'RequestInvalid');
  metrics.error(answer.reason);
  metrics.counters('').add(answer.status, 0);
  if (head !== undefined) audit.add(useOfNobody('', head.method, head.target, answer));
  clients.unready(socket);
  // One that does not hang up is hung up on, like any other after its last answer.
  const late = setTimeout(() => socket.destroy(), lingerMilliseconds).unref();
  socket.once('close', () => clearTimeout(late));
  socket.resume();
  socket.end(bytesOf(answer, true, head?.method === 'CONNECT' ? 'GET' : head?.method));
}
