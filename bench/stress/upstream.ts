import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import { gzipSync } from 'node:zlib';
import type { Delivery } from '../../sidecar/src/tls/certificate.ts';
import { address } from '../namespace.ts';
import { Fingerprint, Paced, bytesOf, eventOf, repeated } from './content.ts';

/** An API whose answers depend on nothing but the request, and that refuses any credential but the one it accepts. */
export interface StressUpstream {
  /** The value that is accepted from now on; every other one is refused at once. */
  accepted: string;
  refused: number;
  /** Streams that stay open and give a piece each time that this is called. */
  tick(): void;
  /** Of the streams that are open now. */
  streaming(): number;
}

type Answer = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void | Promise<void>;

/** Pieces of each stream. */
export const pieces = 40;
/** 100 MB when it is unpacked, 100 KB on the way. */
const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024));
const mebibyte = bytesOf(1, 1024 * 1024);

export async function startUpstream({ leaf }: Delivery): Promise<StressUpstream> {
  const paced = new Set<Paced>();
  const stream = (response: ServerResponse, type: string, piece: (index: number) => string | Buffer): void => {
    const source = new Paced(pieces, piece);
    paced.add(source);
    response.on('close', () => paced.delete(source));
    response.writeHead(200, { 'content-type': type });
    response.flushHeaders();
    source.stream.pipe(response);
  };
  const upstream: StressUpstream = {
    accepted: '',
    refused: 0,
    tick: () => {
      for (const source of paced) source.next();
    },
    streaming: () => paced.size,
  };
  const answers: Readonly<Record<string, Answer>> = {
    '/echo': echo,
    '/empty': (_request, response, query) => void response.writeHead(Number(query.get('status')), { etag: '"1"' }).end(),
    '/bytes': (_request, response, query) => bytes(response, query),
    '/events': (_request, response, query) => stream(response, 'text/event-stream', (index) => eventOf(seedOf(query), index)),
    '/chunks': (_request, response, query) =>
      stream(response, 'application/octet-stream', (index) => bytesOf(seedOf(query) * 1000 + index, 4099)),
    '/download': (_request, response, query) =>
      void repeated(mebibyte, Number(query.get('mebibytes'))).pipe(response.writeHead(200, { 'content-length': String(sizeOf(query)) })),
    '/bomb': (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' }).end(bomb),
  };
  const server = https.createServer({ key: leaf.key, cert: leaf.certificate }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://upstream');
    if (request.headers.authorization !== `Bearer ${upstream.accepted}`) {
      upstream.refused += 1;
      response.writeHead(401).end('no');
    } else void answers[pathname]?.(request, response, searchParams);
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen({ host: address, port: 443, backlog: 4096 }, resolve));
  return upstream;
}

const seedOf = (query: URLSearchParams): number => Number(query.get('seed'));
const sizeOf = (query: URLSearchParams): number => Number(query.get('mebibytes')) * 1024 * 1024;

/** Tells what came: of the head, of the body and of the trailers. */
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const seen = new Fingerprint().text(`${request.method} ${request.url}`).fields(request.headers);
  try {
    await seen.body(request);
  } catch {
    return; // the client is gone
  }
  response.writeHead(200, { 'content-type': 'text/plain' }).end(seen.fields(request.trailers).word);
}

/** With a length, or in chunks with a trailer. */
function bytes(response: ServerResponse, query: URLSearchParams): void {
  const body = bytesOf(seedOf(query), Number(query.get('size')));
  const type = { 'content-type': 'application/octet-stream' };
  if (query.get('framing') === 'length') return void response.writeHead(200, { ...type, 'content-length': body.length }).end(body);
  response.writeHead(200, { ...type, trailer: 'x-checked' });
  for (let at = 0; at < body.length; at += 5000) response.write(body.subarray(at, at + 5000));
  response.addTrailers({ 'x-checked': String(seedOf(query)) });
  response.end();
}
