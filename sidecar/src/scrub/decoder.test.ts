import { randomBytes } from 'node:crypto';
import { brotliCompressSync, constants, zstdCompressSync } from 'node:zlib';
import { brotliWindow, zstdWindow } from './decoder.ts';

const mebibyte = 1024 * 1024;

type Pack = (bytes: Buffer) => Buffer;

const window = (bits: number): Pack => {
  const params = { [constants.BROTLI_PARAM_LGWIN]: bits };
  return (bytes) => brotliCompressSync(bytes, { params });
};
const zstdOf = (bits: number): Pack => {
  const params = { [constants.ZSTD_c_windowLog]: bits, [constants.ZSTD_c_contentSizeFlag]: 0 };
  return (bytes) => zstdCompressSync(bytes, { params });
};

test.each(Array.from({ length: 15 }, (_, index) => index + 10))('a window of 2^%i bytes is read from the first bytes of br', (bits) => {
  expect(brotliWindow(window(bits)(randomBytes(3 * mebibyte))[0] ?? 0)).toBe(bits);
});

test.each([10, 17, 21, 22, 23, 24, 27])('a window of 2^%i bytes is read from the first frame of zstd, up to 2^23', (bits) => {
  expect(zstdWindow(zstdOf(bits)(randomBytes(3 * mebibyte)))).toBe(Math.min(bits, 22, 23));
});

test.each([0, 1, 255, 256, 300, 65_791, 65_792, 2_000_000])('of a single segment of %i bytes the window is its content', (size) => {
  const packed = zstdCompressSync(Buffer.alloc(size));
  expect(2 ** zstdWindow(packed)).toBeGreaterThanOrEqual(size);
  expect(zstdWindow(packed)).toBeLessThanOrEqual(Math.max(10, Math.ceil(Math.log2(size + 1))));
});

test('a beginning that does not tell is taken for the most', () => {
  expect([new Uint8Array(), zstdCompressSync('x').subarray(0, 4), Buffer.from('5f2a4d18', 'hex')].map(zstdWindow)).toEqual([23, 23, 23]);
});
