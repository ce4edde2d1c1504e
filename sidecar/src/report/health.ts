import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { http } from './node-http.ts';

export interface HealthOptions {
  port: number;
  address?: string;
  metrics: { contentType: string; text: () => Promise<string> };
}

export interface Health {
  port: number;
  /** From now on `/healthz` says 200: the trust bundle is written and the door is open. It never waits for a source. */
  ready(): void;
  stop(): Promise<void>;
}

/** `/healthz` and `/metrics` for kubelet and Prometheus. Serves nothing secret, so it may listen on all addresses. */
export function openHealth({ port, address = '0.0.0.0', metrics }: HealthOptions): Promise<Health> {
  let isReady = false;
  const server = http.createServer({ headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 60_000 }, (request, response) => {
    answer(request, response, { isReady, metrics });
  });
  server.maxConnections = 32;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, () => {
      const { port: opened } = server.address() as { port: number };
      resolve({
        port: opened,
        ready: () => {
          isReady = true;
        },
        stop: () => close(server),
      });
    });
  });
}

interface State {
  isReady: boolean;
  metrics: HealthOptions['metrics'];
}

function answer({ method, url }: IncomingMessage, response: ServerResponse, { isReady, metrics }: State): void {
  if (method !== 'GET' && method !== 'HEAD') return say(response, 405, 'only GET\n');
  if (url === '/healthz') return isReady ? say(response, 200, 'ok\n') : say(response, 503, 'starting\n');
  if (url !== '/metrics') return say(response, 404, 'there is /healthz and /metrics\n');
  metrics.text().then(
    (text) => say(response, 200, text, metrics.contentType),
    () => say(response, 500, 'the metrics cannot be read\n'),
  );
}

function say(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' });
  response.end(text);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
