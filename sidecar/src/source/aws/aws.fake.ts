import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FakeServer } from '../../upstream/https.fake.ts';
import { fakeServer, json } from '../../upstream/https.fake.ts';

/** As much of STS and Secrets Manager as the source asks for, under one name, on loopback. */
export interface FakeAWS {
  server: FakeServer;
  address: string;
  secrets: Map<string, Version[]>;
  /** The last form that STS got, and how many. */
  logins: URLSearchParams[];
  /** What was asked of Secrets Manager. */
  reads: { SecretId: string; VersionId?: string; VersionStage?: string }[];
  /** Access keys that are let in. */
  keys: Set<string>;
  /** Seconds. */
  lease: number;
  /** The error of Secrets Manager, in place of an answer. */
  error: string | undefined;
  /** Answers in place of all else when it returns true. */
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
}

interface Version {
  id: string;
  stages: string[];
  text?: string;
  binary?: Buffer;
}

export const awsName = 'aws.test';
export const id = (number: number): string => `0000000${number}-0000-4000-8000-000000000000`;

export async function fakeAWS(): Promise<FakeAWS> {
  const aws: Omit<FakeAWS, 'server' | 'address'> = {
    secrets: new Map([['mcp/github', [{ id: id(1), stages: ['AWSCURRENT'], text: 'sk-1' }]]]),
    logins: [],
    reads: [],
    keys: new Set(),
    lease: 3600,
    error: undefined,
    fault: () => false,
  };
  const server = await fakeServer(awsName, (request, response, body) => {
    const target = request.headers['x-amz-target'];
    if (target === undefined) aws.logins.push(new URLSearchParams(body));
    else aws.reads.push(JSON.parse(body) as FakeAWS['reads'][number]);
    if (aws.fault(request, response)) return;
    if (target === undefined) assume(aws, response);
    else read(aws, request, response);
  });
  return Object.assign(aws, { server, address: `https://${awsName}:${server.port}` });
}

type Held = Omit<FakeAWS, 'server' | 'address'>;

function assume(aws: Held, response: ServerResponse): void {
  const form = aws.logins.at(-1);
  if (form?.get('RoleArn')?.endsWith('/mcp') !== true) {
    response
      .writeHead(403)
      .end('<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>');
    return;
  }
  const key = `ASIA${aws.logins.length}`;
  aws.keys.add(key);
  const expiration = new Date(Date.now() + aws.lease * 1000).toISOString();
  response.end(
    `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>` +
      `<SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
  );
}

const refuse = (response: ServerResponse, type: string): void => json(response, 400, { __type: type, message: 'no' });

function read(aws: Held, request: IncomingMessage, response: ServerResponse): void {
  const key = /Credential=(\w+)\//u.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (!aws.keys.has(key)) return refuse(response, 'ExpiredTokenException');
  if (aws.error !== undefined) return refuse(response, aws.error);
  const found = asked(aws);
  if (found === undefined) return refuse(response, 'ResourceNotFoundException');
  const value = found.text === undefined ? { SecretBinary: found.binary?.toString('base64') } : { SecretString: found.text };
  json(response, 200, {
    VersionId: found.id,
    VersionStages: found.stages,
    CreatedDate: 1_764_000_000.5,
    ...value,
  });
}

function asked({ reads, secrets }: Held): Version | undefined {
  const { SecretId = '', VersionId, VersionStage = 'AWSCURRENT' } = reads.at(-1) ?? {};
  const versions = secrets.get(SecretId) ?? [];
  return versions.find(({ id: name, stages }) => (VersionId === undefined ? stages.includes(VersionStage) : name === VersionId));
}
