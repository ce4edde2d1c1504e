import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';

export interface Ask {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** For https: the CA, and the name in the certificate when the URL has an address. */
  ca?: string;
  servername?: string;
}

/** One request to a pod of the test cluster; resolves with the status and the JSON or text of the answer. */
export function ask(
  url: string,
  { method = 'GET', body, headers = {}, ca, servername }: Ask = {},
): Promise<{ status: number; json: unknown; text: string }> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options = {
      method,
      headers: { ...headers, ...(text === undefined ? {} : { 'content-type': 'application/json' }) },
      timeout: 10_000,
    };
    const answer = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => void chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const whole = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, json: parse(whole), text: whole });
      });
    };
    const sent = url.startsWith('https:')
      ? secureRequest(url, { ...options, ...(ca === undefined ? {} : { ca }), ...(servername === undefined ? {} : { servername }) }, answer)
      : request(url, options, answer);
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error(`no answer from ${new URL(url).host}`)));
    sent.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
