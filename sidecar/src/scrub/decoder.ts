import type { Transform, TransformOptions } from 'node:stream';
import type Zlib from 'node:zlib';
import type { ZlibOptions, ZstdOptions } from 'node:zlib';
import { Failure } from '@rekey/lib/reason.ts';

/** A content coding (RFC 9110 section 8.4.1) that can be undone. */
export interface Coding {
  /** Bytes of memory that a decoder holds for an answer that begins so. */
  holds(first: Uint8Array): number;
  /** Undoes it piece by piece, with no more memory than that. */
  decoder(holds: number): Transform;
}

/** Of each decoder: its own state, and the pieces on their way through it. */
const anyway = 64 * 1024;
type Pieces = Pick<TransformOptions, 'readableHighWaterMark' | 'writableHighWaterMark'>;
const pieces: Pieces = { readableHighWaterMark: 16 * 1024, writableHighWaterMark: 16 * 1024 };
const options: ZlibOptions & Pieces = pieces;

// Loaded by the first answer that needs it: it costs 1 MB.
const zlib = (): typeof Zlib => process.getBuiltinModule('node:zlib');

const gzip: Coding = { holds: () => anyway, decoder: () => zlib().createGunzip(options) };

const codings: Readonly<Record<string, Coding>> = {
  gzip,
  'x-gzip': gzip,
  deflate: { holds: () => anyway, decoder: () => zlib().createInflate(options) },
  br: { holds: ([first = 0]) => anyway + 2 ** brotliWindow(first), decoder: () => zlib().createBrotliDecompress(options) },
  zstd: {
    holds: (first) => anyway + 2 ** zstdWindow(first),
    // A frame that follows, or hides behind one that is skipped, may declare another window.
    decoder: (holds) => {
      const params = { [zlib().constants.ZSTD_d_windowLogMax]: Math.round(Math.log2(holds - anyway)) };
      const bounded: ZstdOptions & Pieces = { ...pieces, params };
      return zlib().createZstdDecompress(bounded);
    },
  },
};

/** Undefined when there is none. Throws where the coding is not known. */
export function codingOf(field: string | undefined): Coding | undefined {
  const name = field?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return undefined;
  const coding = codings[name];
  if (coding === undefined) throw new Failure('AnswerNotSearchable');
  return coding;
}

/** WBITS of RFC 7932 section 9.1: what a first byte says of the size of the window, as a power of two. */
export function brotliWindow(first: number): number {
  if ((first & 1) === 0) return 16;
  const three = (first >> 1) & 7;
  if (three !== 0) return 17 + three;
  const more = (first >> 4) & 7;
  if (more === 1) return 24; // "large window", which no decoder takes unless asked to
  return more === 0 ? 17 : 8 + more;
}

/** The most that RFC 9659 lets an answer in zstd use, and what is taken for granted of one whose beginning does not tell. */
const mostZstd = 23;
const leastZstd = 10;

const magic = 0xfd2fb528;

/** The window of a first frame of zstd (RFC 8878 section 3.1.1.1), as a power of two, rounded up. */
export function zstdWindow(first: Uint8Array): number {
  const descriptor = first[4] ?? 0;
  const isSingle = (descriptor & 0x20) !== 0;
  const bits = isSingle ? bitsOf(contentSize(first, descriptor)) : windowBits(first[5]);
  return littleEndian(first, 0, 4) === magic ? Math.min(mostZstd, Math.max(leastZstd, bits)) : mostZstd;
}

/** Of Window_Descriptor: an exponent of five bits and a mantissa of three. */
function windowBits(byte: number | undefined): number {
  return byte === undefined ? mostZstd : 10 + (byte >> 3) + ((byte & 7) === 0 ? 0 : 1);
}

const bitsOf = (size: number): number => Math.ceil(Math.log2(Math.max(1, size)));

/** Of a single segment, whose window is its content: the field follows the identifier of a dictionary. */
function contentSize(first: Uint8Array, descriptor: number): number {
  const at = 5 + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const kind = descriptor >> 6;
  return littleEndian(first, at, 2 ** kind) + (kind === 1 ? 256 : 0);
}

/** Infinity when it is not all there. */
function littleEndian(bytes: Uint8Array, at: number, length: number): number {
  let number = 0;
  for (let index = length - 1; index >= 0; index -= 1) number = number * 256 + (bytes[at + index] ?? Infinity);
  return number;
}
