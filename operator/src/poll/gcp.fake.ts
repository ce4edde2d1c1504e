import type { IncomingMessage } from 'node:http';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Answer } from './https.fake.ts';
import { startFakeSource } from './https.fake.ts';

export interface Asked {
  action: 'exchange' | 'impersonate' | 'list' | 'get' | 'other';
  path: string;
  token: string | undefined;
  body: string;
}

export type { Answer } from './https.fake.ts';

export interface FakeGCP {
  store: Store;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of STS, IAM and Secret Manager, for the faults that the stand-in does not have. */
export async function startFakeGCP(answer: (asked: Asked) => Answer): Promise<FakeGCP> {
  const { address, ca, asked, close } = await startFakeSource(askedOf, answer);
  return { store: storeAt(address, ca), asked, close };
}

function askedOf({ url = '/', headers }: IncomingMessage, body: string): Asked {
  const { pathname: path } = new URL(url, 'https://localhost');
  return { action: actionOf(path), path, token: headers.authorization?.replace('Bearer ', ''), body };
}

function actionOf(path: string): Asked['action'] {
  if (path === '/v1/token') return 'exchange';
  if (path.endsWith(':generateAccessToken')) return 'impersonate';
  if (/\/secrets\/[\w-]+\/versions$/u.test(path)) return 'list';
  return /\/secrets\/[\w-]+$/u.test(path) ? 'get' : 'other';
}

export const provider = '//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/rekey/providers/cluster';

export function storeAt(address: string, caBundle: string, over: object = {}): Store {
  const place = { endpoint: address, stsEndpoint: address, iamEndpoint: address, caBundle };
  const gcpSecretManager = { project: 'my-project', workloadIdentityProvider: provider, ...place, ...over };
  return { metadata: { name: 'gcp', uid: 'u', generation: 1 }, spec: storeSpec.parse({ gcpSecretManager }) };
}

export const granted = (token = 't1', seconds = 3600): Answer => ({
  status: 200,
  body: {
    access_token: token,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: seconds,
  },
});

export const failed = (status: number, code: string): Answer => ({
  status,
  body: { error: { code: status, status: code, message: 'canary-of-google' } },
});

/** By number; the states as Google numbers them: 1 enabled, 2 disabled, 3 destroyed. */
export const versions = (states: Record<number, number>, more: object = {}): Answer => ({
  status: 200,
  body: {
    versions: Object.entries(states).map(([number, state]) => ({ name: `projects/1/secrets/mcp-github/versions/${number}`, state })),
    ...more,
  },
});

export const secret = (versionAliases: Record<string, string> = {}): Answer => ({
  status: 200,
  body: { name: 'projects/1/secrets/mcp-github', replication: { automatic: {} }, versionAliases },
});
