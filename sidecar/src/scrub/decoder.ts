import type { Transform, TransformOptions } from 'node:stream';
import type Zlib from 'node:zlib';
import type { ZlibOptions, ZstdOptions } from 'node:zlib';
import { Failure } from '@rekey/lib/reason.ts';

/** What undoes a content coding (RFC 9110 section 8.4.1) piece by piece. */
export interface Decoding {
  /** Bytes of memory that it takes at most. */
  bytes: number;
  open(): Transform;
}

/** Of an answer that begins with these bytes, of which there is at least one; undefined when more of them have to tell, unless there are no more. */
export type Coding = (first: Uint8Array, isAll: boolean) => Decoding | undefined;

const kibibyte = 1024;
type Pieces = Pick<TransformOptions, 'readableHighWaterMark' | 'writableHighWaterMark'>;
const pieces: Pieces = { readableHighWaterMark: 16 * kibibyte, writableHighWaterMark: 16 * kibibyte };
const options: ZlibOptions & Pieces = pieces;

// Loaded by the first answer that needs it: it costs 1 MB.
const zlib = (): typeof Zlib => process.getBuiltinModule('node:zlib');

const gzip: Coding = () => ({ bytes: 64 * kibibyte, open: () => zlib().createGunzip(options) });

/** Besides the window, the tables of up to 3 x 256 prefix codes: 0.8 MB, as measured. */
const br: Coding = ([first = 0]) => ({
  bytes: 1024 * kibibyte + 2 ** brotliWindow(first),
  open: () => zlib().createBrotliDecompress(options),
});

/** Besides the window, a context of 160 KiB and a block in and out, as measured. */
const zstd: Coding = (first, isAll) => {
  const told = zstdWindow(first);
  if (told === undefined && !isAll && first.length < longestHead) return undefined;
  const bits = told ?? anyZstd;
  return {
    bytes: 160 * kibibyte + 2 ** bits + 3 * Math.min(2 ** bits, 128 * kibibyte),
    open: () => {
      // A frame that follows, or hides behind one that is skipped, may declare another window.
      const bounded: ZstdOptions & Pieces = { ...pieces, params: { [zlib().constants.ZSTD_d_windowLogMax]: bits } };
      return zlib().createZstdDecompress(bounded);
    },
  };
};

const codings = new Map<string, Coding>([
  ['gzip', gzip],
  ['x-gzip', gzip],
  ['deflate', () => ({ bytes: 64 * kibibyte, open: () => zlib().createInflate(options) })],
  ['br', br],
  ['zstd', zstd],
]);

/** Undefined when there is none. Throws where the coding is not known. */
export function codingOf(field: string | undefined): Coding | undefined {
  const name = field?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return undefined;
  const coding = codings.get(name);
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

/** The most that RFC 9659 lets an answer in zstd use. */
const mostZstd = 23;
/** What is granted to one whose first frame asks for less, since another may follow. */
const leastZstd = 17;
/** What is granted to one whose beginning does not tell. */
const anyZstd = 22;
/** Bytes of the longest head of a frame. */
const longestHead = 18;

const magic = 0xfd2fb528;

/** The window of a first frame of zstd (RFC 8878 section 3.1.1.1), as a power of two, rounded up; undefined when these bytes do not tell. */
export function zstdWindow(first: Uint8Array): number | undefined {
  const descriptor = first[4] ?? 0;
  const isSingle = (descriptor & 0x20) !== 0;
  const bits = isSingle ? bitsOf(contentSize(first, descriptor)) : windowBits(first[5]);
  const isTold = littleEndian(first, 0, 4) === magic && Number.isFinite(bits);
  return isTold ? Math.min(mostZstd, Math.max(leastZstd, bits)) : undefined;
}

/** Of Window_Descriptor: an exponent of five bits and a mantissa of three. */
function windowBits(byte: number | undefined): number {
  return byte === undefined ? Infinity : 10 + (byte >> 3) + ((byte & 7) === 0 ? 0 : 1);
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
