import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FakeServer } from '../../upstream/https.fake.ts';
import { fakeServer, json } from '../../upstream/https.fake.ts';
import { crc32c } from './crc32c.ts';

/** As much of STS, IAM credentials and Secret Manager as the source asks for, under one name, on loopback. */
export interface FakeGCP {
  server: FakeServer;
  address: string;
  /** By id of the secret, oldest first: version 1 is the first. */
  secrets: Map<string, Version[]>;
  aliases: Map<string, number>;
  /** The forms that STS got. */
  logins: URLSearchParams[];
  impersonations: { path: string; token: string; body: unknown }[];
  /** What was asked of Secret Manager. */
  reads: string[];
  /** Access tokens that are let in. */
  tokens: Set<string>;
  /** Seconds. */
  lease: number;
  /** In place of the checksum. */
  checksum: string | undefined;
  /** The refusal of Secret Manager, in place of an answer. */
  refusal: [status: number, code: string, message?: string] | undefined;
  /** Answers in place of all else when it returns true. */
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
}

interface Version {
  data: Buffer;
  state?: 'DISABLED' | 'DESTROYED';
}

export const gcpName = 'gcp.test';
export const versionOf = (value: string | Buffer): Version => ({ data: Buffer.from(value) });

export async function fakeGCP(): Promise<FakeGCP> {
  const gcp: Omit<FakeGCP, 'server' | 'address'> = {
    secrets: new Map([['mcp-github', [versionOf('sk-1')]]]),
    aliases: new Map(),
    logins: [],
    impersonations: [],
    reads: [],
    tokens: new Set(),
    lease: 3600,
    checksum: undefined,
    refusal: undefined,
    fault: () => false,
  };
  const server = await fakeServer(gcpName, (request, response, body) => {
    const path = (request.url ?? '').replace(/\?.*$/u, '');
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    if (path === '/v1/token') gcp.logins.push(new URLSearchParams(body));
    else if (path.endsWith(':generateAccessToken')) gcp.impersonations.push({ path, token, body: JSON.parse(body) as unknown });
    else gcp.reads.push(path);
    if (gcp.fault(request, response)) return;
    if (path === '/v1/token') exchange(gcp, response);
    else if (path.endsWith(':generateAccessToken')) impersonate(gcp, token, response);
    else access(gcp, { path, token }, response);
  });
  return Object.assign(gcp, { server, address: `https://${gcpName}:${server.port}` });
}

type Held = Omit<FakeGCP, 'server' | 'address'>;

export const refuse = (response: ServerResponse, status: number, code: string, message = 'no'): void =>
  json(response, status, { error: { code: status, message, status: code } });

function exchange(gcp: Held, response: ServerResponse): void {
  const form = gcp.logins.at(-1);
  if (form?.get('audience')?.endsWith('/providers/cluster') !== true) {
    json(response, 400, { error: 'invalid_target', error_description: 'no' });
    return;
  }
  const token = `federated-${gcp.logins.length}`;
  gcp.tokens.add(token);
  const issued = { issued_token_type: 'urn:ietf:params:oauth:token-type:access_token', token_type: 'Bearer' };
  json(response, 200, { access_token: token, ...issued, expires_in: gcp.lease });
}

function impersonate(gcp: Held, token: string, response: ServerResponse): void {
  const allowed = gcp.tokens.has(token) && gcp.impersonations.at(-1)?.path.includes('/mcp@') === true;
  if (!allowed) return refuse(response, 403, 'PERMISSION_DENIED');
  const accessToken = `impersonated-${gcp.impersonations.length}`;
  gcp.tokens.add(accessToken);
  json(response, 200, { accessToken, expireTime: new Date(Date.now() + gcp.lease * 1000).toISOString() });
}

function access(gcp: Held, { path, token }: { path: string; token: string }, response: ServerResponse): void {
  if (!gcp.tokens.has(token)) return refuse(response, 401, 'UNAUTHENTICATED');
  if (gcp.refusal !== undefined) return refuse(response, ...gcp.refusal);
  const [, secret, asked] = /\/secrets\/([^/]+)\/versions\/([^/]+):access$/u.exec(path) ?? [];
  const versions = gcp.secrets.get(String(secret)) ?? [];
  const number = asked === 'latest' ? versions.length : (gcp.aliases.get(String(asked)) ?? Number(asked));
  const version = versions[number - 1];
  if (version === undefined) refuse(response, 404, 'NOT_FOUND');
  else give(gcp, { ...version, name: `projects/123456789012/secrets/${secret}/versions/${number}` }, response);
}

function give({ checksum }: Held, { data, state, name }: Version & { name: string }, response: ServerResponse): void {
  if (state !== undefined) return refuse(response, 400, 'FAILED_PRECONDITION', `Secret Version [${name}] is in ${state} state.`);
  json(response, 200, { name, payload: { data: data.toString('base64'), dataCrc32c: checksum ?? String(crc32c(data)) } });
}
