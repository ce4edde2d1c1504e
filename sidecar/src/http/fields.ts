import { Malformed } from './malformed.ts';

/** Header fields as they came: flat pairs of name and value, in their order and case. */
export type Fields = readonly string[];

/** A field is a few bytes of a head and much more in memory: so many are more than any client sends. */
const mostFields = 256;

const isToken = 1;
const isText = 2;
const isVisible = 4;

/** What each byte may be: of a token (RFC 9110 section 5.6.2), of a field's value (5.5), or of a target (RFC 9112 section 3.2). */
const kinds = new Uint8Array(256);
for (let code = 0x21; code < 0x7f; code += 1) {
  const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]/u.test(String.fromCharCode(code)) ? isToken : 0;
  kinds[code] = isText | isVisible | token;
}
for (let code = 0x80; code < 0x100; code += 1) kinds[code] = isText;
kinds[0x20] = isText;
kinds[0x09] = isText;

const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
export const space = 0x20;
const colon = 0x3a;

const endOf = (kind: number, text: string, from: number): number => {
  let at = from;
  while (((kinds[text.charCodeAt(at)] ?? 0) & kind) !== 0) at += 1;
  return at;
};

/** The offset of the first character from here on that cannot be in a token, in text, in a target. */
export const endOfToken = (text: string, from: number): number => endOf(isToken, text, from);
export const endOfText = (text: string, from: number): number => endOf(isText, text, from);
export const endOfVisible = (text: string, from: number): number => endOf(isVisible, text, from);

export const isLineEnd = (text: string, at: number): boolean =>
  text.charCodeAt(at) === carriageReturn && text.charCodeAt(at + 1) === lineFeed;

const isBlank = (code: number): boolean => code === space || code === tab;

/**
 * Reads the field lines from `from` to the end of the text, each with its CRLF (RFC 9112 section 5). What others are lenient with is
 * refused, since two that read it differently see two messages: a space before the colon, a folded line, a bare CR or LF, NUL.
 */
export function readFields(text: string, from: number): Fields {
  const fields: string[] = [];
  for (let at = from; at < text.length;) {
    const nameEnd = endOfToken(text, at);
    if (nameEnd === at || text.charCodeAt(nameEnd) !== colon) throw new Malformed('a field line does not begin with a name and a colon');
    const lineEnd = endOfText(text, nameEnd + 1);
    if (!isLineEnd(text, lineEnd)) throw new Malformed('a field holds a bare line break, NUL or another control character');
    fields.push(text.slice(at, nameEnd), trimmed(text, nameEnd + 1, lineEnd));
    at = lineEnd + 2;
  }
  if (fields.length > 2 * mostFields) throw new Malformed('the head has too many fields', 431);
  return fields;
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** The first field of this name, which is in lower case. */
export function fieldOf(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]?.length === name.length && fields[at]?.toLowerCase() === name) return fields[at + 1];
  }
  return undefined;
}

/** Names that are compared without case. A name of another length costs no copy in lower case. */
export class Names {
  readonly #byLength: (string[] | undefined)[] = [];

  /** Names in lower case. */
  constructor(names: readonly string[]) {
    for (const name of names) (this.#byLength[name.length] ??= []).push(name);
  }

  has(name: string): boolean {
    const same = this.#byLength[name.length];
    return same !== undefined && same.includes(name.toLowerCase());
  }
}
