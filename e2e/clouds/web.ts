import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

export interface Reply {
  status: number;
  body?: unknown;
  type?: string;
}

/** Sends text as it is and everything else as JSON. */
export function send(response: ServerResponse, { status, body, type = 'application/json' }: Reply): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? {});
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}

export async function textOf(request: IncomingMessage): Promise<string> {
  return (await buffer(request)).toString('utf8');
}

export type Handler = (input: Record<string, unknown>) => Reply | Promise<Reply>;

/** How the tests steer a cloud: `METHOD /name` with JSON, on a port of its own. */
export function controlServer(handlers: Readonly<Record<string, Handler>>): Server {
  return createServer((request, response) => {
    const handle = async (): Promise<Reply> => {
      const handler = handlers[`${request.method} ${request.url}`];
      const text = await textOf(request);
      return handler === undefined
        ? { status: 404, body: { error: 'no such call' } }
        : handler(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>));
    };
    handle().then(
      (reply) => send(response, reply),
      (error: unknown) => send(response, { status: 400, body: { error: error instanceof Error ? error.message : 'failed' } }),
    );
  });
}
