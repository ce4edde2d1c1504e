import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { apiPath } from '@rekey/crds/names.ts';
import type { RealApiServer } from '@rekey/operator/controller/api-server.real.ts';
import { temporaryFolder } from '@rekey/lib/process.real.ts';
import { run } from '../lib/run.ts';

/** Stands before the API server, sees what it is asked, and can ask it for a past that it does not have any more. */
export interface Front {
  port: number;
  ca: string;
  /** Lists so far, by their path. */
  lists: ReadonlyMap<string, number>;
  /** The watches that are open, by their path. */
  watches: () => string[];
  /** What the API server says when the open watches of our kinds go on from a version that is too old; the client is told the same. */
  expire: () => Promise<string[]>;
  close: () => Promise<void>;
}

interface Watch {
  url: URL;
  headers: IncomingMessage['headers'];
  response: ServerResponse;
  answer: IncomingMessage;
}

export async function startFront(api: RealApiServer): Promise<Front> {
  const lists = new Map<string, number>();
  const watches = new Set<Watch>();
  const { key, cert } = await identity();
  const pass = async (asked: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(asked.url ?? '/', `https://127.0.0.1:${api.port}`);
    const answer = await send(api, url, { method: asked.method ?? 'GET', headers: asked.headers, body: asked });
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    answer.on('error', () => response.destroy()).pipe(response);
    if (url.searchParams.get('watch') === 'true') {
      const watch = { url, headers: asked.headers, response, answer };
      watches.add(watch);
      response.on('close', () => {
        watches.delete(watch);
        answer.destroy();
      });
    } else if (asked.method === 'GET' && url.searchParams.has('limit')) lists.set(url.pathname, (lists.get(url.pathname) ?? 0) + 1);
  };
  const server = createServer({ key, cert }, (asked, response) => void pass(asked, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    ca: cert,
    lists,
    watches: () => [...watches].map(({ url }) => url.pathname),
    expire: () => Promise.all([...watches].filter(isOurs).map((watch) => tooOld(api, watch))),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const isOurs = ({ url }: Watch): boolean => url.pathname.startsWith(apiPath);

/** Goes on with a watch at version 1, which is from before the API server was started; resolves with what it says to that. */
async function tooOld(api: RealApiServer, { url, headers, response, answer }: Watch): Promise<string> {
  answer.unpipe(response);
  const past = new URL(url);
  past.searchParams.set('resourceVersion', '1');
  const expired = await send(api, past, { method: 'GET', headers });
  let said = '';
  expired.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    response.write(text);
  });
  await new Promise((resolve) => expired.once('end', resolve));
  response.end();
  return said;
}

interface Sent {
  method: string;
  headers: IncomingMessage['headers'];
  body?: IncomingMessage;
}

function send({ ca }: RealApiServer, url: URL, { method, headers, body }: Sent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, ca, headers }, resolve).on('error', reject);
    if (body === undefined) outgoing.end();
    else body.pipe(outgoing);
  });
}

async function identity(): Promise<{ key: string; cert: string }> {
  const folder = temporaryFolder('front');
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=front'];
  await run('openssl', ['req', '-x509', ...kind, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]);
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
