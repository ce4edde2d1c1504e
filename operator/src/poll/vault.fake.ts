import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { createAuthority, createServing } from '../certificate-authority.ts';

export interface Asked {
  method: string;
  path: string;
  token: string | undefined;
  namespace?: string | undefined;
  body: unknown;
}

/** What to answer; undefined hangs up without an answer. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | 'hang up' | 'silence';

export interface FakeVault {
  store: Store;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of a vault, for the faults that a real vault cannot be asked to have. */
export async function startFakeVault(answer: (asked: Asked) => Answer): Promise<FakeVault> {
  const authority = await createAuthority(new Date());
  const { cert, key } = await createServing(authority, ['localhost'], new Date());
  const asked: Asked[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const token = request.headers['x-vault-token'] as string | undefined;
      const one = {
        method: request.method ?? '',
        path: request.url ?? '',
        token,
        namespace: request.headers['x-vault-namespace'] as string | undefined,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      asked.push(one);
      give(answer(one), request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { store: storeAt(`https://localhost:${(server.address() as AddressInfo).port}`, authority.cert), asked, close };
}

function give(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (answer === 'silence') return;
  if (answer === 'hang up') request.socket.destroy();
  else response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(JSON.stringify(answer.body ?? {}));
}

export function storeAt(address: string, caBundle: string): Store {
  const vault = { address, caBundle, auth: { kubernetes: { role: 'mcp' } } };
  return { metadata: { name: 'default', uid: 'u', generation: 1 }, spec: storeSpec.parse({ vault }) };
}

export const login = (token = 't1', lease = 600): Answer => ({
  status: 200,
  body: { auth: { client_token: token, lease_duration: lease } },
});

export const metadata = (current: number, versions: Record<string, { deletion_time?: string; destroyed?: boolean }>): Answer => ({
  status: 200,
  body: {
    data: {
      current_version: current,
      custom_metadata: { owner: 'canary-of-custom-metadata' },
      versions: Object.fromEntries(
        Object.entries(versions).map(([version, state]) => [version, { deletion_time: '', destroyed: false, ...state }]),
      ),
    },
  },
});
