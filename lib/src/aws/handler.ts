import type { Route } from '../exchange.ts';
import { exchange } from '../exchange.ts';
import { statusFailure } from './failure.ts';

/** A request as the SDK hands it to its handler (`HttpRequest` of @smithy/types), as far as it is used. */
interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number | undefined;
  path: string;
  query?: Record<string, string | string[] | null> | undefined;
  headers: Record<string, string>;
  body?: unknown;
}

interface SdkResponse {
  statusCode: number;
  reason: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface SdkHandler {
  handle(request: SdkRequest, options?: { abortSignal?: unknown }): Promise<{ response: SdkResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): object;
}

/**
 * Carries the SDK's requests over connections of ours: with our lookup, bounded, without redirects. The SDK's own handler reads answers
 * of any length and costs 2 MB. `signal` is the one of the read that is under way, since the SDK's clients are shared by many.
 */
export function sdkHandler(route: Route, what: string): SdkHandler {
  return {
    handle: async ({ method, protocol, hostname, port, path, headers, body }, { abortSignal } = {}) => {
      const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
      const { host: _host, 'content-length': _length, ...rest } = headers;
      const answered = await exchange(route, {
        method,
        url,
        headers: rest,
        body: typeof body === 'string' || body instanceof Uint8Array ? body : undefined,
        signal: abortSignal instanceof AbortSignal ? abortSignal : undefined,
      });
      const failure = statusFailure(answered.status, what);
      if (failure !== undefined) throw failure;
      return { response: { statusCode: answered.status, reason: '', headers: flat(answered.headers), body: answered.bytes } };
    },
    destroy: () => undefined,
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  };
}

function flat(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}
