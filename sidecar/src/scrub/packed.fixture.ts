import { brotliCompressSync, constants, zstdCompressSync } from 'node:zlib';

export type Pack = (bytes: Buffer) => Buffer;

/** br and zstd with a window of 2^bits. */
export const brotliOf = (bits: number): Pack => {
  const params = { [constants.BROTLI_PARAM_LGWIN]: bits };
  return (bytes) => brotliCompressSync(bytes, { params });
};
export const zstdOf = (bits: number): Pack => {
  const params = { [constants.ZSTD_c_windowLog]: bits, [constants.ZSTD_c_contentSizeFlag]: 0 };
  return (bytes) => zstdCompressSync(bytes, { params });
};
