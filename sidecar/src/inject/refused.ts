import type { Refusal } from '@rekey/crds/credential.ts';
import { Chunked } from '../http/chunked.ts';
import { fieldOf } from '../http/fields.ts';
import type { ResponseHead } from '../http/response-head.ts';

/** A refusal said in the body is looked for in answers up to this size, and in this much once decoded. */
export const mostRead = 64 * 1024;
const mostDecoded = 256 * 1024;

/** What the status alone says of the credential; `unclear`: the body may say that it is refused. */
export type Verdict = 'accepted' | 'refused' | 'unclear';

/** Looks for the signs by which this upstream refuses a credential. */
export function verdictOf(head: ResponseHead, signs: readonly Refusal[]): Verdict {
  let verdict: Verdict = 'accepted';
  for (const { status, jsonField } of signs) {
    if (status !== head.status) continue;
    if (jsonField === undefined) return 'refused';
    if (isSmallJson(head)) verdict = 'unclear';
  }
  return verdict;
}

function isSmallJson({ fields, control }: ResponseHead): boolean {
  const type = fieldOf(fields, 'content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  return (type === 'application/json' || type.endsWith('+json')) && control.length <= mostRead;
}

/** Whether a whole answer refuses the credential. `raw` is what came after the head, in chunks where they frame it. */
export function isRefusal(head: ResponseHead, raw: readonly Buffer[], signs: readonly Refusal[]): boolean {
  const likely = signs.filter(({ status, jsonField }) => status === head.status && jsonField !== undefined);
  return saysSo(head, head.control.chunked ? unchunked(raw) : Buffer.concat(raw), likely);
}

function unchunked(raw: readonly Buffer[]): Buffer {
  const reader = new Chunked(undefined);
  const data = raw.flatMap((piece) => {
    reader.read(piece, 0);
    return reader.pieces ?? [];
  });
  return Buffer.concat(data);
}

function saysSo({ fields }: ResponseHead, body: Buffer, signs: readonly Refusal[]): boolean {
  try {
    const text = decoded(body, fieldOf(fields, 'content-encoding') ?? 'identity').toString('utf8');
    const json: unknown = JSON.parse(text);
    return signs.some(({ jsonField = '', equals }) => textAt(json, jsonField) === equals);
  } catch {
    return false; // not JSON, or in a coding that we don't know: nothing that says so
  }
}

function decoded(body: Buffer, coding: string): Buffer {
  const options = { maxOutputLength: mostDecoded };
  // Loaded by the first answer that has a field to look for: it costs 1 MB.
  const zlib = process.getBuiltinModule('node:zlib');
  switch (coding.trim().toLowerCase()) {
    case 'identity':
      return body;
    case 'gzip':
    case 'x-gzip':
      return zlib.gunzipSync(body, options);
    case 'br':
      return zlib.brotliDecompressSync(body, options);
    case 'deflate':
      return zlib.inflateSync(body, options);
    case 'zstd':
      return zlib.zstdDecompressSync(body, options);
    default:
      throw new Error('unknown content coding');
  }
}

/** The field of a dotted path, as text when it is a string, number or boolean. */
export function textAt(json: unknown, path: string): string | undefined {
  let at = json;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return typeof at === 'string' || typeof at === 'number' || typeof at === 'boolean' ? String(at) : undefined;
}
