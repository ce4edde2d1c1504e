import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Checked } from './head.ts';
import { endToEndLines, linesOf } from '../http/hop.ts';
import { Names } from '../http/fields.ts';
import type { Found } from '../inject/inject.ts';
import { switching } from './relay.ts';
import { carrying, targetWith, twins } from '../inject/inject.ts';

/** Methods whose requests have no body unless a field says so (RFC 9110 section 8.6). */
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

/** A part of an answer may hold a part of a value. */
const ofTheAnswer = new Names(['accept-encoding', 'range', 'if-range', 'te', 'want-content-digest', 'want-repr-digest']);

/** A value, and where it is written. */
export interface Written {
  found: Found;
  grant: { value: SecretValue } | undefined;
}

export interface Writing {
  /** None when the request goes out as it came. */
  uses: readonly Written[];
  /** The client was told to send its body already. */
  continued: boolean;
  /** The answer is to be searched: it is asked for whole and as it is. */
  scrubs: boolean;
  /** The length of a body that was read before any of it is sent. */
  length: number | undefined;
}

/** What is no longer so of a body that holds the value (RFC 9530 section 2, RFC 3230 section 4.3.2, RFC 1864). */
const ofTheBody = new Names(['content-digest', 'repr-digest', 'digest', 'content-md5']);

/** The request's head as it leaves: Host and framing are ours, the fields of the connection are gone, and the value stands where the placeholder stood. */
export function outgoingOf({ head, host, port, target, webSocket }: Checked, writing: Writing): string {
  const { method, control } = head;
  const { uses, continued, scrubs, length } = writing;
  const isTwin = uses.length === 1 ? twins(uses[0]?.found) : twinsOf(uses);
  const isStale = length === undefined ? never : staleOf(uses);
  const dropped = (name: string): boolean =>
    isHost(name) || (continued && isExpect(name)) || isTwin(name) || (scrubs && ofTheAnswer.has(name)) || isStale(name);
  const lines = endToEndLines(head.fields, control.connection, dropped);
  let carried = '';
  let to = target;
  for (const { found, grant } of uses) {
    if (grant === undefined) continue;
    carried += linesOf(carrying(found, grant.value));
    to = targetWith(found, grant.value, to);
  }
  if (!isCarriable(carried)) throw new Failure('SecretValueInvalid');
  const authority = port === 443 ? host : `${host}:${port}`;
  return `${method} ${to} HTTP/1.1\r\nHost: ${authority}\r\n${lines}${scrubs ? 'Accept-Encoding: identity\r\n' : ''}${framing(head, length)}${carried}${webSocket === undefined ? persisting : switching}\r\n\r\n`;
}

/** Whether a field passes for one of those that get a value. */
export function twinsOf(uses: readonly Written[]): (name: string) => boolean {
  const all = uses.map(({ found }) => twins(found));
  return (name) => all.some((isTwin) => isTwin(name));
}

const persisting = 'Connection: keep-alive';

const never = (): boolean => false;
const staleOf = (uses: readonly Written[]): ((name: string) => boolean) => {
  const isOther = uses.some(({ found }) => found.json.length > 0);
  return (name) => isLength(name) || (isOther && ofTheBody.has(name));
};
const isLength = (name: string): boolean => name.length === 14 && name.toLowerCase() === 'content-length';
const isHost = (name: string): boolean => name.length === 4 && name.toLowerCase() === 'host';
const isExpect = (name: string): boolean => name.length === 6 && name.toLowerCase() === 'expect';

/** The Content-Length passes with the other fields, unless the body was read whole. */
function framing({ method, control }: Checked['head'], length: number | undefined): string {
  if (length !== undefined) return `Content-Length: ${length}\r\n`;
  if (control.chunked) return 'Transfer-Encoding: chunked\r\n';
  return control.length < 0 && !bodiless.has(method) ? 'Content-Length: 0\r\n' : '';
}

/** Nothing but the lines' own ends may end a line; sources give no other values, but this is where it would matter. */
const isCarriable = (lines: string): boolean => /^(?:[\t\x20-\x7e]*\r\n)*$/u.test(lines);
