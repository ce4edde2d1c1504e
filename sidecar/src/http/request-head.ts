import type { Control } from './control.ts';
import { controlOf } from './control.ts';
import type { Fields } from './fields.ts';
import { endOfToken, endOfVisible, readFields, space } from './fields.ts';
import { Malformed } from './malformed.ts';

export interface RequestHead {
  method: string;
  /** As it came, in any of its four forms (RFC 9112 section 3.2). */
  target: string;
  fields: Fields;
  control: Control;
}

const version = 'HTTP/1.1\r\n';

/**
 * Reads a request's head: request line and fields, each with its CRLF, without the empty line after them. Throws Malformed.
 * HTTP/1.0 is refused too: it knows no chunks and no Host, so it is where lenient proxies are fooled, and no client of an API needs it.
 */
export function readRequestHead(text: string): RequestHead {
  const methodEnd = endOfToken(text, 0);
  if (methodEnd === 0 || text.charCodeAt(methodEnd) !== space) throw new Malformed('the request line does not begin with a method');
  const targetEnd = endOfVisible(text, methodEnd + 1);
  if (targetEnd === methodEnd + 1 || text.charCodeAt(targetEnd) !== space) {
    throw new Malformed('the request line has no target, or one with a space or a character that is to be percent-encoded');
  }
  if (!text.startsWith(version, targetEnd + 1)) throw otherVersion(text, targetEnd + 1);
  const fields = readFields(text, targetEnd + 1 + version.length);
  return { method: text.slice(0, methodEnd), target: text.slice(methodEnd + 1, targetEnd), fields, control: controlOf(fields) };
}

/** What speaks HTTP/2 by prior knowledge (RFC 9113 section 3.4) begins with a line that is no request of any version. */
function otherVersion(text: string, at: number): Malformed {
  const speaksHttp = /^HTTP\/[0-9]\.[0-9]\r\n/u.test(text.slice(at, at + version.length)) && !text.startsWith('PRI * ');
  return speaksHttp ? new Malformed('the only version is HTTP/1.1', 505) : new Malformed('the request line does not end in HTTP/1.1');
}
