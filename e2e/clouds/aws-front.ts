import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { allows, trusts } from './aws-policy.ts';
import type { Policy, Role } from './aws-policy.ts';
import { claimsOf } from './token.ts';
import type { Issuer } from './token.ts';
import { send, textOf } from './web.ts';
import type { Handler, Reply } from './web.ts';

/** Where moto listens, and what is known of who may do what. */
export interface AWS {
  moto: string;
  issuer: Issuer;
  roles: Map<string, Role>;
  /** Roles by the access keys that were handed out. */
  sessions: Map<string, string>;
  /** What was asked, by action. */
  counts: Record<string, number>;
}

export const region = 'eu-central-1';
const service = { sts: 'sts', secrets: 'secretsmanager' };

/**
 * Moto's STS and Secrets Manager behind what moto leaves out: it takes any token of any issuer for an identity, and knows policies
 * only for resources that are `*`. Here a token is verified and the role's trust policy asked; each action needs its policy.
 */
export function front(aws: AWS, tls: { key: string; cert: string }): Server {
  return createServer(tls, (request, response) => {
    answer(aws, request).then(
      (reply) => send(response, reply),
      () => response.destroy(),
    );
  });
}

async function answer(aws: AWS, request: IncomingMessage): Promise<Reply> {
  const text = await textOf(request);
  const target = request.headers['x-amz-target'];
  if (request.method !== 'POST') return { status: 405 };
  return typeof target === 'string' ? secret(aws, request, target, text) : assume(aws, new URLSearchParams(text));
}

const xml = (status: number, code: string): Reply => ({
  status,
  type: 'text/xml',
  body: `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>refused</Message></Error></ErrorResponse>`,
});

async function assume(aws: AWS, form: URLSearchParams): Promise<Reply> {
  aws.counts['AssumeRoleWithWebIdentity'] = (aws.counts['AssumeRoleWithWebIdentity'] ?? 0) + 1;
  const arn = form.get('RoleArn') ?? '';
  const role = aws.roles.get(arn);
  const claims = await claimsOf(form.get('WebIdentityToken') ?? '', aws.issuer);
  if (claims === undefined) return xml(400, 'InvalidIdentityToken');
  if (role === undefined || !trusts(role, claims)) return xml(403, 'AccessDenied');
  const reply = await ask(aws, service.sts, { 'content-type': 'application/x-www-form-urlencoded' }, form.toString());
  const key = /<AccessKeyId>(\w+)</u.exec(reply.body)?.[1];
  if (key !== undefined) aws.sessions.set(key, arn);
  return { ...reply, type: 'text/xml' };
}

const refuse = (type: string): Reply => ({ status: 400, type: 'application/x-amz-json-1.1', body: { __type: type, message: 'refused' } });

async function secret(aws: AWS, request: IncomingMessage, target: string, text: string): Promise<Reply> {
  const action = target.replace('secretsmanager.', '');
  aws.counts[action] = (aws.counts[action] ?? 0) + 1;
  const key = /Credential=(\w+)\//u.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const role = aws.roles.get(aws.sessions.get(key) ?? '');
  if (role === undefined) return refuse('UnrecognizedClientException');
  const { SecretId = '' } = JSON.parse(text) as { SecretId?: string };
  if (!allows(role, `secretsmanager:${action}`, await arnOf(aws, SecretId))) return refuse('AccessDeniedException');
  return { ...(await toMoto(aws, target, text)), type: 'application/x-amz-json-1.1' };
}

/** Of a secret that is not there the one that it would have: six characters follow the name. */
async function arnOf(aws: AWS, id: string): Promise<string> {
  if (id.startsWith('arn:')) return id;
  const { body } = await toMoto(aws, 'secretsmanager.DescribeSecret', JSON.stringify({ SecretId: id }));
  const { ARN } = JSON.parse(body) as { ARN?: string };
  return ARN ?? `arn:aws:secretsmanager:${region}:123456789012:secret:${id}-000000`;
}

function toMoto(aws: AWS, target: string, body: string): Promise<{ status: number; body: string }> {
  return ask(aws, service.secrets, { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target }, body);
}

/** Moto reads the service and the region off the signature, and asks nothing else of it. */
async function ask({ moto }: AWS, name: string, headers: Record<string, string>, body: string): Promise<{ status: number; body: string }> {
  const authorization = `AWS4-HMAC-SHA256 Credential=test/20260101/${region}/${name}/aws4_request, SignedHeaders=host, Signature=none`;
  const response = await fetch(moto, { method: 'POST', headers: { ...headers, authorization }, body });
  return { status: response.status, body: await response.text() };
}

/** What the owner of the account does: writes secrets (any action of Secrets Manager), and makes roles. */
export function control(aws: AWS): Record<string, Handler> {
  return {
    'GET /healthz': () => ({ status: 200, body: { issuer: aws.issuer.issuer } }),
    'GET /counts': () => ({ status: 200, body: aws.counts }),
    'PUT /role': ({ arn, trust, policies }) => {
      aws.roles.set(String(arn), { trust: trust as Policy, policies: policies as Policy[] });
      return { status: 204 };
    },
    'POST /secrets': async ({ action, input }) => {
      const { status, body } = await toMoto(aws, `secretsmanager.${String(action)}`, JSON.stringify(input));
      return { status, body: JSON.parse(body) };
    },
    'POST /forget': () => {
      aws.sessions.clear();
      return { status: 204 };
    },
  };
}
