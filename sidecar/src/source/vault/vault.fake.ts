import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FakeServer } from '../../upstream/https.fake.ts';
import { fakeServer, json } from '../../upstream/https.fake.ts';

export const vaultName = 'vault.test';

/** Answers as Vault 2 does, with what a test lets go wrong. */
export interface FakeVault {
  server: FakeServer;
  address: string;
  /** By path below `kv/data/`: the versions, newest last. */
  secrets: Map<string, Version[]>;
  /** By path below `old/`, which is a KV version 1 engine. */
  unversioned: Map<string, Record<string, unknown>>;
  /** Who may log in. */
  roles: Set<string>;
  /** The X-Vault-Namespace header of each request. */
  namespaces: (string | undefined)[];
  /** Tokens that reads are let in with. */
  tokens: Set<string>;
  /** Seconds. */
  lease: number;
  /** Requests so far. */
  logins: { role: string; jwt: string }[];
  reads: { path: string; token: string }[];
  /** Answers in place of Vault while it returns true. */
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface Version {
  data?: Record<string, unknown>;
  state?: 'deleted' | 'destroyed';
}

export async function fakeVault(stranger = false): Promise<FakeVault> {
  const vault: Omit<FakeVault, 'server' | 'address'> = {
    secrets: new Map([['mcp/github', [{ data: { token: 'sk-1' } }]]]),
    unversioned: new Map([['mcp/github', { token: 'sk-old' }]]),
    roles: new Set(['mcp']),
    namespaces: [],
    tokens: new Set(),
    lease: 3600,
    logins: [],
    reads: [],
    fault: () => false,
  };
  const server = await fakeServer(
    vaultName,
    (request, response, body) => {
      const url = new URL(request.url ?? '/', 'https://vault.test');
      vault.namespaces.push(request.headers['x-vault-namespace'] as string | undefined);
      if (request.method === 'POST') vault.logins.push(JSON.parse(body) as { role: string; jwt: string });
      else vault.reads.push({ path: url.pathname + url.search, token: String(request.headers['x-vault-token']) });
      if (vault.fault(request, response)) return;
      if (request.method === 'POST') login(vault, url, response);
      else read(vault, url, request, response);
    },
    stranger,
  );
  return Object.assign(vault, { server, address: `https://${vaultName}:${server.port}` });
}

type Held = Omit<FakeVault, 'server' | 'address'>;

function login(vault: Held, url: URL, response: ServerResponse): void {
  const { role = '' } = vault.logins.at(-1) ?? {};
  if (!/^\/v1\/auth\/(kubernetes|jwt)\/login$/u.test(url.pathname)) json(response, 404, { errors: ['no handler for route'] });
  else if (!vault.roles.has(role)) json(response, 400, { errors: [`invalid role name "${role}"`] });
  else {
    const token = `hvs.token-${vault.logins.length}`;
    vault.tokens.add(token);
    json(response, 200, { auth: { client_token: token, lease_duration: vault.lease, renewable: true } });
  }
}

function read(vault: Held, url: URL, request: IncomingMessage, response: ServerResponse): void {
  if (!vault.tokens.has(String(request.headers['x-vault-token']))) {
    json(response, 403, { errors: ['permission denied'] });
    return;
  }
  if (url.pathname.startsWith('/v1/old/')) readOld(vault, url, response);
  else readVersion(vault, url, response);
}

function readOld(vault: Held, url: URL, response: ServerResponse): void {
  const data = vault.unversioned.get(url.pathname.replace('/v1/old/', ''));
  json(response, data === undefined ? 404 : 200, data === undefined ? { errors: [] } : { data });
}

function readVersion(vault: Held, url: URL, response: ServerResponse): void {
  const versions = vault.secrets.get(url.pathname.replace('/v1/kv/data/', '')) ?? [];
  const asked = Number(url.searchParams.get('version') ?? 0) || versions.length;
  const version = versions[asked - 1];
  if (version === undefined) json(response, 404, { errors: [] });
  else {
    const metadata = {
      version: asked,
      destroyed: version.state === 'destroyed',
      deletion_time: version.state === 'deleted' ? '2026-11-22T23:51:16.697981997Z' : '',
    };
    const data = version.state === undefined ? version.data : null;
    json(response, version.state === undefined ? 200 : 404, { data: { data, metadata } });
  }
}
