import { randomBytes } from 'node:crypto';
import { may } from './gcp-iam.ts';
import type { Grant, Members } from './gcp-iam.ts';
import { claimsOf, hasAudience } from './token.ts';
import type { Claims, Issuer } from './token.ts';
import type { Reply } from './web.ts';

export interface Identities {
  issuer: Issuer;
  /** The workload identity provider of the cluster: `//iam.googleapis.com/projects/N/…/providers/NAME`. */
  provider: string;
  grants: Grant[];
  tokens: Map<string, { members: Members; expires: number }>;
}

const lifetime = 3600;
const refuse = (error: string): Reply => ({ status: 400, body: { error, error_description: 'refused' } });

const required: Readonly<Record<string, string>> = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
};

/** https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token: the audience of the token is the provider, with https: before it. */
export async function exchangeToken(identities: Identities, type: string, text: string): Promise<Reply> {
  if (!type.startsWith('application/x-www-form-urlencoded')) return refuse('invalid_request');
  const form = new URLSearchParams(text);
  if (Object.entries(required).some(([name, value]) => form.get(name) !== value)) return refuse('invalid_request');
  if (form.get('scope')?.includes('https://www.googleapis.com/auth/cloud-platform') !== true) return refuse('invalid_scope');
  if (form.get('audience') !== identities.provider) return refuse('invalid_target');
  const claims = await claimsOf(form.get('subject_token') ?? '', identities.issuer);
  if (claims === undefined || !hasAudience(claims, `https:${identities.provider}`)) return refuse('invalid_grant');
  const token = issue(identities, membersOf(claims, identities.provider));
  return {
    status: 200,
    body: { access_token: token, issued_token_type: required['requested_token_type'], token_type: 'Bearer', expires_in: lifetime },
  };
}

/** With the attribute mapping of the documentation: the subject, and the namespace of the service account. */
function membersOf({ sub }: Claims, provider: string): Members {
  const pool = provider.slice(0, provider.indexOf('/providers/'));
  const namespace = sub.split(':')[2] ?? '';
  return [`principal:${pool}/subject/${sub}`, `principalSet:${pool}/attribute.namespace/${namespace}`];
}

function issue({ tokens }: Identities, members: Members): string {
  const token = `ya29.${randomBytes(16).toString('hex')}`;
  tokens.set(token, { members, expires: Date.now() + lifetime * 1000 });
  return token;
}

export const failed = (status: number, code: string, message: string): Reply => ({
  status,
  body: { error: { code: status, message, status: code } },
});

/** The members behind a Bearer token, or what Google says to one that it does not take. */
export function membersBehind({ tokens }: Identities, authorization = ''): Members | undefined {
  const known = tokens.get(authorization.replace(/^Bearer /u, ''));
  return known === undefined || known.expires < Date.now() ? undefined : known.members;
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
export function impersonate(identities: Identities, account: string, authorization: string | undefined, text: string): Reply {
  const members = membersBehind(identities, authorization);
  if (members === undefined) return failed(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
  const { scope, lifetime: asked = '3600s' } = JSON.parse(text) as { scope?: unknown; lifetime?: string };
  if (!Array.isArray(scope) || scope.length === 0) return failed(400, 'INVALID_ARGUMENT', 'At least one scope must be specified.');
  if (!/^\d+s$/u.test(asked) || Number(asked.slice(0, -1)) > lifetime) return failed(400, 'INVALID_ARGUMENT', 'The lifetime is not valid.');
  if (!may(members, 'iam.serviceAccounts.getAccessToken', `serviceAccounts/${account}`, identities.grants))
    return failed(403, 'PERMISSION_DENIED', "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).");
  const accessToken = issue(identities, [`serviceAccount:${account}`]);
  return { status: 200, body: { accessToken, expireTime: new Date(Date.now() + lifetime * 1000).toISOString() } };
}
