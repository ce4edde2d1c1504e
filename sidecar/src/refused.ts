import type { IncomingMessage } from 'node:http';
import type { Refusal } from '@rekey/crds/credential.ts';

/** A refusal said in the body is looked for in answers up to this size, and in this much once decoded. */
const mostRead = 64 * 1024;
const mostDecoded = 256 * 1024;

/** Told once: whether the answer refuses the credential, what of its body was read meanwhile, and whether that is all of it. */
export type Judged = (refused: boolean, read: readonly Buffer[], ended: boolean) => void;

/**
 * Looks for the signs by which this upstream refuses a credential: at once when the status decides, after the body when a field
 * of it does.
 */
export function judge(answer: IncomingMessage, signs: readonly Refusal[], judged: Judged): void {
  const status = answer.statusCode ?? 0;
  const likely = signs.filter((sign) => sign.status === status);
  if (likely.length === 0) return judged(false, [], false);
  if (likely.some(({ jsonField }) => jsonField === undefined)) return judged(true, [], false);
  if (!isSmallJson(answer)) return judged(false, [], false);
  readUpTo(answer, (read, ended) => judged(ended && saysSo(answer, Buffer.concat(read), likely), read, ended));
}

function isSmallJson({ headers }: IncomingMessage): boolean {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? '';
  return (type === 'application/json' || type.endsWith('+json')) && Number(headers['content-length'] ?? 0) <= mostRead;
}

/** Reads to the end, or until there is too much: then the answer is left paused with the rest in it. */
function readUpTo(answer: IncomingMessage, done: (read: Buffer[], ended: boolean) => void): void {
  const read: Buffer[] = [];
  let bytes = 0;
  const finish = (ended: boolean): void => {
    answer.off('data', onData).off('end', onEnd);
    done(read, ended);
  };
  const onEnd = (): void => finish(true);
  const onData = (chunk: Buffer): void => {
    read.push(chunk);
    bytes += chunk.length;
    if (bytes <= mostRead) return;
    answer.pause();
    finish(false);
  };
  answer.on('data', onData).on('end', onEnd);
}

function saysSo(answer: IncomingMessage, body: Buffer, signs: readonly Refusal[]): boolean {
  try {
    const text = decoded(body, answer.headers['content-encoding'] ?? 'identity').toString('utf8');
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
