import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { shortestToken } from './leak.ts';
import type { Internet } from './public.ts';

interface Reply {
  status: number;
  body?: unknown;
}
type Handler = (internet: Internet, input: Record<string, unknown>, path: string[]) => Reply;

const done: Reply = { status: 204 };

/** How the tests steer the upstream. Plain HTTP, JSON, for the cluster's inside only. */
const handlers: Record<string, Handler> = {
  'GET healthz': () => ({ status: 200, body: 'ok' }),
  'GET stats': ({ ledger }) => ({ status: 200, body: ledger.stats() }),
  'PUT tokens': ({ apis, ledger }, { api, name, value }) => {
    if (!apis.some((known) => known.name === api)) return wrong('api is not known');
    if (typeof name !== 'string' || typeof value !== 'string' || value.length < shortestToken)
      return wrong(`name or value is missing, or the value has under ${shortestToken} characters`);
    return ledger.register(String(api), name, value) ? done : { status: 409, body: { error: 'the name stands for another value' } };
  },
  'DELETE tokens': ({ ledger }, _input, [api = '', ...name]) =>
    ledger.revoke(api, name.join('/')) ? done : { status: 404, body: { error: 'no such token' } },
  'PUT latency': ({ latency }, { api, milliseconds }) => {
    if (typeof api !== 'string' || typeof milliseconds !== 'number') return wrong('api or milliseconds is missing');
    latency.set(api, milliseconds);
    return done;
  },
  'POST reset': ({ ledger, latency }, { tokens }) => {
    ledger.reset(tokens === true);
    latency.clear();
    return done;
  },
};

export function controlServer(internet: Internet): Server {
  return createServer((request, response) => {
    void handle(internet, request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`);
    });
  });
}

async function handle(internet: Internet, request: IncomingMessage): Promise<Reply> {
  try {
    const [first = '', ...path] = (request.url ?? '').slice(1).split('/').map(decodeURIComponent);
    const handler = handlers[`${request.method} ${first}`];
    return handler?.(internet, await input(request), path) ?? { status: 404, body: { error: 'no such call' } };
  } catch {
    return wrong('the path is not well encoded, or the body is not JSON');
  }
}

async function input(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function wrong(error: string): Reply {
  return { status: 400, body: { error } };
}
