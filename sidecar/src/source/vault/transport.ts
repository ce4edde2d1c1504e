import { parseJson } from '@rekey/lib/body.ts';
import { exchange } from '@rekey/lib/exchange.ts';
import type { Asking, Route } from '@rekey/lib/exchange.ts';
import { redirectOf } from '@rekey/lib/redirect.ts';

/** A request as node-vault makes it, with what we add by its `requestOptions`. */
interface VaultRequest {
  method: string;
  uri: string;
  headers?: Record<string, string>;
  json?: unknown;
  signal?: AbortSignal;
}

interface VaultResponse {
  statusCode: number;
  body: unknown;
  request: { path: string };
}

export interface VaultRoute extends Route {
  /** See `redirectOf`. */
  redirectHosts: readonly string[];
}

/**
 * Carries node-vault's requests over `node:https`, in place of axios: axios as node-vault calls it follows redirects with the token in
 * hand, reads answers of any length, knows no lookup of ours, and costs 7 MB in every pod. A body that is not JSON is `undefined`.
 * Rejects with a TransportFault.
 */
export function transport(route: VaultRoute): { defaults: () => (request: VaultRequest) => Promise<VaultResponse> } {
  return { defaults: () => (request) => send(route, request) };
}

async function send(route: VaultRoute, { method, uri, headers = {}, json, signal }: VaultRequest): Promise<VaultResponse> {
  const url = new URL(uri);
  const body = json === undefined ? undefined : JSON.stringify(json);
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const asking: Asking = {
    method,
    url,
    body,
    signal,
    headers: { ...headers, accept: 'application/json', 'x-vault-request': 'true', ...type },
  };
  const first = await exchange(route, asking);
  const elsewhere = redirectOf(first.status, first.headers.location, route.redirectHosts);
  // Once: what the second node says is the answer, another redirect included.
  const { status, bytes } = elsewhere === undefined ? first : await exchange(route, { ...asking, url: elsewhere });
  return { statusCode: status, body: parseJson(bytes.toString('utf8')), request: { path: url.pathname } };
}
