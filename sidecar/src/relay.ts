import type { IncomingMessage, ServerResponse } from 'node:http';
import { endToEnd, trailersOf } from './hop.ts';

/**
 * Hands the upstream's answer on: `read` first, the rest as it comes and no faster than the client takes it. The head goes out at
 * once, for streams that stay silent at first. A truncated answer ends in a destroyed connection, so that nobody takes it for whole.
 * Throws, with nothing sent, when the head cannot be written.
 */
export function relay(answer: IncomingMessage, response: ServerResponse, read: readonly Buffer[], ended: boolean): void {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders));
  for (const chunk of read) response.write(chunk);
  if (ended) return finish(answer, response);
  let silent = read.length === 0;
  answer.on('data', (chunk: Buffer) => {
    silent = false;
    if (!response.write(chunk)) answer.pause();
  });
  response.on('drain', () => answer.resume());
  answer.on('end', () => finish(answer, response));
  answer.resume();
  setImmediate(() => {
    if (silent && !response.writableEnded) response.flushHeaders();
  });
}

function finish(answer: IncomingMessage, response: ServerResponse): void {
  if (answer.rawTrailers.length > 0) response.addTrailers(trailersOf(answer.rawTrailers));
  response.end();
}

/** Lets an answer that nobody wants run out, so that its connection can be used again; one that takes longer is cut off. */
export function discard(answer: IncomingMessage): void {
  const timer = setTimeout(() => answer.destroy(), 1000).unref();
  answer.once('close', () => clearTimeout(timer));
  answer.resume();
}
