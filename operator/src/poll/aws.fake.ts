import type { IncomingMessage } from 'node:http';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Answer } from './https.fake.ts';
import { startFakeSource } from './https.fake.ts';

export interface Asked {
  /** DescribeSecret, or AssumeRoleWithWebIdentity. */
  action: string;
  input: Record<string, string>;
  /** The access key that signed it. */
  key: string | undefined;
}

export type { Answer } from './https.fake.ts';

export interface FakeAWS {
  store: Store;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of STS and Secrets Manager, for the faults that moto cannot be asked to have. */
export async function startFakeAWS(answer: (asked: Asked) => Answer): Promise<FakeAWS> {
  const { address, ca, asked, close } = await startFakeSource(askedOf, answer);
  return { store: storeAt(address, ca), asked, close };
}

function askedOf({ headers: { 'x-amz-target': target, authorization = '' } }: IncomingMessage, body: string): Asked {
  const key = /Credential=(\w+)\//u.exec(authorization)?.[1];
  if (typeof target === 'string')
    return { action: target.replace('secretsmanager.', ''), input: JSON.parse(body) as Record<string, string>, key };
  const input = Object.fromEntries(new URLSearchParams(body));
  return { action: input['Action'] ?? '', input, key };
}

export const operatorRole = 'arn:aws:iam::123456789012:role/rekey-operator';

export function storeAt(address: string, caBundle: string): Store {
  const roles = { roleARN: 'arn:aws:iam::123456789012:role/mcp', operatorRoleARN: operatorRole };
  const awsSecretsManager = { region: 'eu-central-1', ...roles, endpoint: address, stsEndpoint: address, caBundle };
  return { metadata: { name: 'aws', uid: 'u', generation: 1 }, spec: storeSpec.parse({ awsSecretsManager }) };
}

/** Credentials of a role: `key` signs, for as many seconds from `at` on. */
export const session = (key = 'ASIA1', seconds = 3600, at = Date.now()): Answer => ({
  status: 200,
  body:
    `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>` +
    `<SessionToken>t</SessionToken><Expiration>${new Date(at + seconds * 1000).toISOString()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
});

export const refused = (code: string): Answer => ({
  status: 403,
  body: `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>canary-of-sts</Message></Error></ErrorResponse>`,
});

export const failed = (type: string): Answer => ({ status: 400, body: { __type: type, message: 'canary-of-the-service' } });

export const secret = (stages: Record<string, string[]>, more: object = {}): Answer => ({
  status: 200,
  body: { Name: 'mcp/github', VersionIdsToStages: stages, ...more },
});
