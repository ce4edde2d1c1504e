import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { Driver, Settings } from './driver.ts';

interface Reply {
  status: number;
  body: unknown;
}
type Handler = (driver: Driver, defaults: Settings, input: Record<string, unknown>) => Reply | Promise<Reply>;

const handlers: Record<string, Handler> = {
  'GET /healthz': () => ok('ok'),
  'GET /stats': (driver) => ok(driver.stats()),
  'POST /start': async (driver, defaults, input) => {
    if (driver.running) return { status: 409, body: { error: 'already running' } };
    await driver.start({ ...defaults, ...input });
    return ok({ running: true });
  },
  'POST /stop': async (driver) => {
    await driver.stop();
    return ok(driver.stats());
  },
  'POST /excuse': (driver, defaults, { server, on }) => {
    if (typeof server !== 'string' || !defaults.servers.includes(server) || typeof on !== 'boolean')
      return { status: 400, body: { error: 'server or on is missing or wrong' } };
    driver.excuse(server, on);
    return ok({ server, on });
  },
};

/** How the tests steer the load. `defaults` hold for what a start does not say. */
export function controlServer(driver: Driver, defaults: Settings): Server {
  return createServer((request, response) => {
    void handle(driver, defaults, request).then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify(body)}\n`);
    });
  });
}

async function handle(driver: Driver, defaults: Settings, request: IncomingMessage): Promise<Reply> {
  const handler = handlers[`${request.method} ${request.url}`];
  if (handler === undefined) return { status: 404, body: { error: 'no such call' } };
  try {
    return await handler(driver, defaults, await input(request));
  } catch (error) {
    return { status: 503, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

async function input(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

function ok(body: unknown): Reply {
  return { status: 200, body };
}
