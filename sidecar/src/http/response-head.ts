import type { Control } from './control.ts';
import { closes, controlOf } from './control.ts';
import type { Fields } from './fields.ts';
import { endOfText, isLineEnd, readFields } from './fields.ts';
import { Malformed } from './malformed.ts';

export interface ResponseHead {
  status: number;
  /** The reason phrase, or undefined when even the space before it is missing. */
  phrase: string | undefined;
  /** Whether it is of HTTP/1.1, and not of 1.0. */
  current: boolean;
  fields: Fields;
  control: Control;
  /** Bytes of the head, the empty line included. */
  size: number;
}

/** Up to the status; the space after it is often missing where there is no phrase. */
const statusLine = /^HTTP\/1\.[01] [1-5][0-9]{2}[ \r]/u;

/**
 * Reads a response's head: status line and fields, without the empty line after them. Throws Malformed: an answer that could be seen to
 * end at two places is as dangerous as such a request.
 */
export function readResponseHead(text: string): ResponseHead {
  if (!statusLine.test(text)) throw new Malformed('the status line is not of HTTP/1.1, with a status from 100 to 599');
  const phraseEnd = endOfText(text, 12);
  if (!isLineEnd(text, phraseEnd)) throw new Malformed('the reason phrase holds a control character');
  const fields = readFields(text, phraseEnd + 2);
  const control = controlOf(fields);
  const current = text.startsWith('HTTP/1.1');
  if (!current && control.chunked) throw new Malformed('HTTP/1.0 knows no chunks');
  const phrase = phraseEnd === 12 ? undefined : text.slice(13, phraseEnd);
  return { status: Number(text.slice(9, 12)), phrase, current, fields, control, size: text.length + 2 };
}

/** Whether the connection may carry another request after this answer. */
export function persists(head: ResponseHead): boolean {
  return head.current && !closes(head.control);
}

/** Answers that never have a body, whatever their fields say (RFC 9112 section 6.3). */
export function isBodiless({ status }: ResponseHead, method: string): boolean {
  return method === 'HEAD' || status === 204 || status === 304;
}

/** Whether the answer's end is the connection's. */
export function lastsUntilClose(head: ResponseHead, method: string): boolean {
  return !head.control.chunked && head.control.length < 0 && !isBodiless(head, method);
}
