import { randomBytes } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { brotliWindow, zstdWindow } from './decoder.ts';
import { brotliOf, zstdOf } from './packed.fixture.ts';

const mebibyte = 1024 * 1024;

test.each(Array.from({ length: 15 }, (_, index) => index + 10))('a window of 2^%i bytes is read from the first bytes of br', (bits) => {
  expect(brotliWindow(brotliOf(bits)(randomBytes(3 * mebibyte))[0] ?? 0)).toBe(bits);
});

/** Only the beginning counts, so that no window need be filled. */
const zstdHead = (byte: number): Uint8Array => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, byte, ...Buffer.alloc(12));

test.each([10, 17, 21, 22, 23, 24, 27, 41])('a window of 2^%i bytes is read from the first frame of zstd, from 2^17 to 2^23', (bits) => {
  expect(zstdWindow(zstdHead((bits - 10) << 3))).toBe(Math.min(Math.max(bits, 17), 23));
});

test('a window between two powers counts as the larger one, and what zstd writes is read', () => {
  expect(zstdWindow(zstdHead(((20 - 10) << 3) + 1))).toBe(21);
  expect([18, 21].map((bits) => zstdWindow(zstdOf(bits)(randomBytes(3 * mebibyte))))).toEqual([18, 21]);
});

test.each([0, 1, 255, 256, 300, 65_791, 65_792, 2_000_000])('of a single segment of %i bytes the window is its content', (size) => {
  const bits = zstdWindow(zstdCompressSync(Buffer.alloc(size))) ?? Number.NaN;
  expect(2 ** bits).toBeGreaterThanOrEqual(size);
  expect(bits).toBeLessThanOrEqual(Math.max(17, Math.ceil(Math.log2(size + 1))));
});

test('a beginning that does not tell says so', () => {
  expect([new Uint8Array(), zstdCompressSync('x').subarray(0, 4), Buffer.from('502a4d18', 'hex')].map(zstdWindow)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
