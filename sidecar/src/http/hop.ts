import type { Fields } from './fields.ts';
import { Names, readFields } from './fields.ts';

export type { Fields };

/** Header fields of one connection, which end here in both directions (RFC 9110 section 7.6.1; `proxy-*` by section 11.7). */
const hopByHop = new Names([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** What `Connection` cannot take away: these say for whom the message is and where it ends. */
const kept = new Set(['host', 'content-length', 'content-type', 'content-encoding', 'expect']);

/** Never among the trailers: they frame or route a message (RFC 9110 section 6.5.1). */
const notInTrailers = new Names([
  'host',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'authorization',
  'cookie',
  'set-cookie',
]);

/** Tells names of fields, as they came, that are not to go on. */
export type Dropped = (name: string) => boolean;

const none: Dropped = () => false;

/** The names that the `Connection` fields nominate, in lower case, or undefined when there are none but the usual two. */
function nominated(connection: string): Set<string> | undefined {
  if (connection === '' || connection === 'keep-alive' || connection === 'close') return undefined;
  const names = connection.split(',').map((part) => part.trim());
  const others = names.filter((name) => name !== '' && name !== 'keep-alive' && name !== 'close' && !kept.has(name));
  return others.length === 0 ? undefined : new Set(others);
}

function connectionOf(raw: Fields): string {
  let connection = '';
  for (let at = 0; at < raw.length; at += 2) if (raw[at]?.toLowerCase() === 'connection') connection += `,${raw[at + 1]?.toLowerCase()}`;
  return connection;
}

/** The lines of the fields that go on to the other side, in their order and case: without those of this connection and those `dropped`. */
export function endToEndLines(raw: Fields, connection: string, dropped: Dropped = none): string {
  const ending = nominated(connection);
  let lines = '';
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!ends(name, ending) && !dropped(name)) lines += lineOf(name, raw[at + 1]);
  }
  return lines;
}

const ends = (name: string, ending: Set<string> | undefined): boolean => hopByHop.has(name) || ending?.has(name.toLowerCase()) === true;

const lineOf = (name: string | undefined, value: string | undefined): string => `${name}: ${value}\r\n`;

/** Whether a message's fields may go on as they are: none is of this connection, but for a `Connection: keep-alive` that holds here too. */
export function allEndToEnd(raw: Fields, connection: string): boolean {
  if (connection !== '' && connection !== 'keep-alive') return false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (hopByHop.has(name) && !(name.length === 10 && raw[at + 1]?.toLowerCase() === 'keep-alive') && !isFraming(name)) return false;
  }
  return true;
}

/** Chunks pass as they are, so the field that announces them does too. */
const isFraming = (name: string): boolean => name.length === 17 && name.toLowerCase() === 'transfer-encoding';

/** Field lines, as they stand in a message. */
export function linesOf(fields: Fields): string {
  let lines = '';
  for (let at = 0; at < fields.length; at += 2) lines += lineOf(fields[at], fields[at + 1]);
  return lines;
}

/** Trailer fields that go on, as pairs. */
export function trailersOf(raw: Fields, dropped: Dropped = none): [string, string][] {
  const ending = nominated(connectionOf(raw));
  const pairs = Array.from({ length: raw.length / 2 }, (_, index): [string, string] => [raw[2 * index] ?? '', raw[2 * index + 1] ?? '']);
  return pairs.filter(([name]) => !ends(name, ending) && !notInTrailers.has(name) && !dropped(name.toLowerCase()));
}

/** The same as lines of a chunked body's end. Throws Malformed. */
export function trailerLines(lines: string, dropped: Dropped = none): string {
  return lines === '' ? '' : linesOf(trailersOf(readFields(lines, 0), dropped).flat());
}
