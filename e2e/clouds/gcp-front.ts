import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { isRole, may } from './gcp-iam.ts';
import type { Grant } from './gcp-iam.ts';
import { askedBy, unknownParameter } from './gcp-secrets.ts';
import type { Asked, Secret, Secrets, State } from './gcp-secrets.ts';
import { exchangeToken, failed, impersonate, membersBehind } from './gcp-tokens.ts';
import type { Identities } from './gcp-tokens.ts';
import { send, textOf } from './web.ts';
import type { Handler, Reply } from './web.ts';

/** STS, IAM credentials and Secret Manager of Google under one address, as strict as the real ones where this project asks them. */
export interface GCP extends Identities {
  secrets: Secrets;
  /** Reads of metadata in the last minute, by project. */
  reads: Map<string, number[]>;
  counts: Record<string, number>;
  /** Answers in place of all else when it returns true. */
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** https://cloud.google.com/secret-manager/quotas: read requests per minute and project; accesses have 90,000. */
const readsPerMinute = 600;

export function front(gcp: GCP, tls: { key: string; cert: string }): Server {
  return createServer(tls, (request, response) => {
    if (gcp.fault(request, response)) return;
    answer(gcp, request).then(
      (reply) => send(response, reply),
      () => response.destroy(),
    );
  });
}

async function answer(gcp: GCP, request: IncomingMessage): Promise<Reply> {
  const text = await textOf(request);
  const { method = '', headers } = request;
  const url = new URL(request.url ?? '/', 'https://googleapis.com');
  count(gcp, url.pathname.replace(/^.*[:/]/u, ''));
  if (method === 'POST') return posted(gcp, url.pathname, headers, text);
  const asked = askedBy(method, url.pathname);
  if (asked === undefined) return nothing;
  return unknownParameter(url.searchParams) ?? allowed(gcp, asked, headers.authorization) ?? asked.answer(gcp.secrets, url.searchParams);
}

async function posted(
  gcp: GCP,
  path: string,
  { authorization, 'content-type': type = '' }: IncomingHttpHeaders,
  text: string,
): Promise<Reply> {
  if (path === '/v1/token') return exchangeToken(gcp, type, text);
  const account = /^\/v1\/projects\/-\/serviceAccounts\/([^:/]+):generateAccessToken$/u.exec(path)?.[1];
  return account === undefined ? nothing : impersonate(gcp, account, authorization, text);
}

const nothing = failed(404, 'NOT_FOUND', 'The requested URL was not found on this server.');

/** In the order in which Google asks: who, how often, and whether he may. One who may not is not told whether it is there. */
function allowed(gcp: GCP, { project, secret, permission, quota }: Asked, authorization: string | undefined): Reply | undefined {
  const members = membersBehind(gcp, authorization);
  if (members === undefined) return failed(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
  if (quota === 'read' && !withinQuota(gcp, project))
    return failed(429, 'RESOURCE_EXHAUSTED', "Quota exceeded for quota metric 'Read requests'.");
  if (may(members, permission, secret, gcp.grants)) return undefined;
  return failed(403, 'PERMISSION_DENIED', `Permission '${permission}' denied for resource '${secret}' (or it may not exist).`);
}

function withinQuota({ reads }: GCP, project: string): boolean {
  const now = Date.now();
  const recent = (reads.get(project) ?? []).filter((at) => at > now - 60_000);
  reads.set(project, [...recent, now]);
  return recent.length < readsPerMinute;
}

function count({ counts }: GCP, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

/** What the owner of the project does. */
export function control(gcp: GCP): Record<string, Handler> {
  const secretOf = (name: unknown): Secret => {
    const secret = gcp.secrets.get(String(name)) ?? { versions: [], aliases: {} };
    gcp.secrets.set(String(name), secret);
    return secret;
  };
  return {
    'GET /healthz': () => ({ status: 200, body: { issuer: gcp.issuer.issuer, provider: gcp.provider } }),
    'GET /counts': () => ({ status: 200, body: gcp.counts }),
    'POST /add': ({ secret, value }) => {
      const { versions } = secretOf(secret);
      versions.push({ state: 'ENABLED', data: Buffer.from(String(value)), createTime: new Date().toISOString() });
      return { status: 200, body: { version: String(versions.length) } };
    },
    'POST /state': ({ secret, version, state }) => {
      const found = secretOf(secret).versions[Number(version) - 1];
      if (found === undefined) return { status: 404, body: { error: 'no such version' } };
      found.state = state as State;
      return { status: 204 };
    },
    'PUT /alias': ({ secret, alias, version }) => {
      secretOf(secret).aliases[String(alias)] = Number(version);
      return { status: 204 };
    },
    'POST /delete': ({ secret }) => {
      gcp.secrets.delete(String(secret));
      return { status: 204 };
    },
    'PUT /grants': ({ grants }) => {
      const all = grants as Grant[];
      const unknown = all.find(({ role }) => !isRole(role));
      if (unknown !== undefined) return { status: 400, body: { error: `no such role: ${unknown.role}` } };
      gcp.grants = all;
      return { status: 204 };
    },
    'POST /forget': () => {
      gcp.tokens.clear();
      return { status: 204 };
    },
  };
}
