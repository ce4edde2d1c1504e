import { Malformed } from './malformed.ts';

const headEnd = Buffer.from('\r\n\r\n');
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export interface FoundHead {
  /** Without the empty line. */
  text: string;
  /** Offset of what follows. */
  end: number;
}

/**
 * The head that these bytes begin with, or undefined when it has not come whole. One empty line before it is passed over (RFC 9112
 * section 2.2). Throws Malformed as soon as the bytes cannot become a head any more, so that nobody waits for the rest of it.
 */
export function findHead(bytes: Buffer, most: number): FoundHead | undefined {
  const from = bytes[0] === carriageReturn && bytes[1] === lineFeed ? 2 : 0;
  const end = bytes.indexOf(headEnd, from);
  if ((end < 0 ? bytes.length : end) - from > most) throw new Malformed('the head is too large', 431);
  if (end >= 0) return { text: bytes.toString('latin1', from, end + 2), end: end + headEnd.length };
  if (hasBareLineFeed(bytes)) throw new Malformed('a line of the head ends in a bare line feed');
  return undefined;
}

/** Whether a line ends without a CR: no head then, however much follows. */
export function hasBareLineFeed(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at - 1] !== carriageReturn) return true;
  }
  return false;
}
