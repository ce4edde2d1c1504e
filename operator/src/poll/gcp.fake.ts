import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import { createAuthority, createServing } from '../certificate-authority.ts';

export interface Asked {
  action: 'exchange' | 'impersonate' | 'list' | 'get' | 'other';
  path: string;
  token: string | undefined;
  body: string;
}

/** What to answer: text as it is, anything else as JSON. */
export type Answer = { status: number; body?: object | string; headers?: Record<string, string> } | 'hang up';

export interface FakeGCP {
  store: Store;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of STS, IAM and Secret Manager, for the faults that the stand-in does not have. */
export async function startFakeGCP(answer: (asked: Asked) => Answer): Promise<FakeGCP> {
  const authority = await createAuthority(new Date());
  const { cert, key } = await createServing(authority, ['localhost'], new Date());
  const asked: Asked[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const handle = async (): Promise<void> => {
      const { pathname: path } = new URL(request.url ?? '/', 'https://localhost');
      const token = request.headers.authorization?.replace('Bearer ', '');
      const one = { action: actionOf(path), path, token, body: await text(request) };
      asked.push(one);
      const given = answer(one);
      if (given === 'hang up') request.socket.destroy();
      else response.writeHead(given.status, given.headers).end(typeof given.body === 'string' ? given.body : JSON.stringify(given.body));
    };
    handle().catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { store: storeAt(`https://localhost:${(server.address() as AddressInfo).port}`, authority.cert), asked, close };
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
