import { createServer as createHttpServer } from 'node:http';
import type { Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import type { Registry } from 'prom-client';
import { bareApp, closed } from './webhook/app.ts';

/** PEM. */
export interface ServingCertificate {
  cert: string;
  key: string;
}

export interface RunningServer {
  port: number;
  /** Takes no new connections and resolves once the requests under way are answered, at the latest after `milliseconds`. */
  close: (milliseconds?: number) => Promise<void>;
}

export interface SecureServer extends RunningServer {
  /** New connections get this certificate; those that stand keep theirs. */
  setCertificate: (certificate: ServingCertificate) => void;
}

const tls = { minVersion: 'TLSv1.2', handshakeTimeout: 5000 } as const;

/** Longer than the 90 s for which a Go client keeps an idle connection, so that the client is the one to close it. */
const keepAliveTimeout = 120_000;

/** The webhook, over HTTPS on all addresses. */
export async function startWebhookServer(app: Express, port: number, certificate: ServingCertificate): Promise<SecureServer> {
  const server = createHttpsServer({ ...tls, ...certificate, keepAliveTimeout, ...limits }, app);
  const running = await listen(server, port);
  return { ...running, setCertificate: (next) => server.setSecureContext({ minVersion: tls.minVersion, ...next }) };
}

/** Health and metrics, over HTTP on all addresses. */
export async function startHealthServer(app: Express, port: number): Promise<RunningServer> {
  return listen(createHttpServer(limits, app), port);
}

/** A client that sends slowly, or not at all, is sent away. */
const limits = { headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 2000 };

async function listen(server: Server, port: number): Promise<RunningServer> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve));
  return { port: (server.address() as AddressInfo).port, close: (milliseconds = 10_000) => close(server, milliseconds) };
}

async function close(server: Server, milliseconds: number): Promise<void> {
  const deadline = setTimeout(() => server.closeAllConnections(), milliseconds);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  clearTimeout(deadline);
}

/** `/healthz` says that the process answers, `/readyz` that it can admit pods, or why not: asked by many at once, it looks once. */
export function healthApp(registry: Registry, unready: () => Promise<string | undefined>): Express {
  let looking: Promise<string | undefined> | undefined;
  const app = bareApp();
  app.get('/healthz', (_request, response) => void response.type('text').send('ok\n'));
  app.get('/readyz', async (_request, response) => {
    looking ??= unready().finally(() => (looking = undefined));
    const why = await looking;
    if (why === undefined) response.type('text').send('ok\n');
    else response.status(503).type('text').send(`not ready: ${why}\n`);
  });
  app.get('/metrics', async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  return closed(app);
}
