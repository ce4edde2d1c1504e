import type { RequestOptions } from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import { readBytes } from '@rekey/lib/body.ts';
import { http } from '../report/node-http.ts';
import type { Posted } from './answer.ts';

export interface PostOptions {
  /** As `OTEL_EXPORTER_OTLP_ENDPOINT`: the base, to which the path of the signal is added. */
  endpoint: string;
  lookup: LookupFunction;
  /** What a collector is verified with. */
  trusted: () => SecureContext;
}

const timeoutMilliseconds = 10_000;
const mostBytes = 64 * 1024;

/** Posts to `/v1/logs` of a collector, over one connection that is kept. Follows no redirect. */
export function postTo({ endpoint, lookup, trusted }: PostOptions): {
  post: (body: string) => Promise<Posted | undefined>;
  close: () => void;
} {
  const url = new URL(`${endpoint.replace(/\/+$/u, '')}/v1/logs`);
  const kept = { keepAlive: true, maxSockets: 1, lookup };
  const secure = url.protocol === 'https:' ? new https.Agent({ ...kept, secureContext: trusted() }) : undefined;
  const agent = secure ?? new http.Agent(kept);
  const request = secure === undefined ? http.request : https.request;
  const send = (body: string): Promise<Posted> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const options: RequestOptions = { method: 'POST', agent, headers, signal: AbortSignal.timeout(timeoutMilliseconds) };
      const asked = request(url, options, (response) => {
        const { statusCode = 0, headers } = response;
        readBytes(response, mostBytes, () => new Error('the answer is too large')).then(
          (bytes) => resolve({ status: statusCode, retryAfter: headers['retry-after'], body: bytes.toString() }),
          reject,
        );
      });
      asked.on('error', reject).end(body);
    });
  return { post: (body) => send(body).catch(() => undefined), close: () => agent.destroy() };
}
