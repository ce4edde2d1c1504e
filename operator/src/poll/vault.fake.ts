import type { IncomingMessage } from 'node:http';
import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Answer } from './https.fake.ts';
import { startFakeSource } from './https.fake.ts';

export interface Asked {
  method: string;
  path: string;
  token: string | undefined;
  namespace?: string | undefined;
  body: unknown;
}

export type { Answer } from './https.fake.ts';

export interface FakeVault {
  store: Store;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of a vault, for the faults that a real vault cannot be asked to have. */
export async function startFakeVault(answer: (asked: Asked) => Answer): Promise<FakeVault> {
  const { address, ca, asked, close } = await startFakeSource(askedOf, answer);
  return { store: storeAt(address, ca), asked, close };
}

function askedOf({ method = '', url: path = '', headers }: IncomingMessage, text: string): Asked {
  const { 'x-vault-token': token, 'x-vault-namespace': namespace } = headers as Record<string, string | undefined>;
  return { method, path, token, namespace, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
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
