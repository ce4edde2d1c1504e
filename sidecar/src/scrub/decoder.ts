import type { Transform } from 'node:stream';
import { Failure } from '@rekey/lib/reason.ts';

/** Undoes a content coding (RFC 9110 section 8.4.1), piece by piece; undefined when there is none. Throws where the coding is not known. */
export function decoderOf(coding: string | undefined): Transform | undefined {
  const name = coding?.trim().toLowerCase() ?? '';
  if (name === '' || name === 'identity') return undefined;
  // Loaded by the first answer that needs it: it costs 1 MB.
  const zlib = process.getBuiltinModule('node:zlib');
  switch (name) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip();
    case 'br':
      return zlib.createBrotliDecompress();
    case 'deflate':
      return zlib.createInflate();
    case 'zstd':
      return zlib.createZstdDecompress();
    default:
      throw new Failure('AnswerNotSearchable');
  }
}
