import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { lookup } from 'node:dns';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { keyId, signedToken } from '@rekey/lib/token.fixture.ts';
import { awsMetadata } from '@rekey/operator/poll/aws.ts';
import { systemClock } from '@rekey/operator/clock.ts';
import type { MetadataSource } from '@rekey/operator/poll/poll.ts';
import { issue } from '@rekey/sidecar/tls/issue.ts';
import { awsSource } from '@rekey/sidecar/source/aws/aws.ts';
import { keepsPromises } from '@rekey/sidecar/source/promises.fixture.ts';
import type { Owner } from '@rekey/sidecar/source/promises.fixture.ts';
import type { Reading, Source } from '@rekey/sidecar/source/source.ts';
import { unused } from '@rekey/sidecar/source/unused.fixture.ts';
import { control, front } from './aws-front.ts';
import type { AWS } from './aws-front.ts';
import type { Policy } from './aws-policy.ts';
import { blockOf } from '@rekey/lib/page.fixture.ts';

// Moto, with the trust and the policies that the documentation tells people to copy.
const issuer = 'https://oidc.example.com/id/CLUSTER';
const account = 'arn:aws:iam::123456789012:role';
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const motoPort = 15_600;
let moto: ChildProcess;
let aws: AWS;
let server: ReturnType<typeof front>;
let ca: string;
let port: number;

beforeAll(async () => {
  const program = execFileSync(fileURLToPath(new URL('moto', import.meta.url)), { encoding: 'utf8' }).trim();
  moto = spawn(program, ['-H', '127.0.0.1', '-p', String(motoPort)], { stdio: 'ignore' });
  const keys = [{ ...signer.publicKey.export({ format: 'jwk' }), kid: keyId }];
  aws = {
    moto: `http://127.0.0.1:${motoPort}/`,
    issuer: { issuer, keys: () => Promise.resolve(keys) },
    roles: new Map(),
    sessions: new Map(),
    counts: {},
  };
  await answering(`${aws.moto}moto-api/`);
  grant();
  const pki = await issue({ hosts: ['localhost'], now: Date.now() });
  ca = pki.ca.certificate;
  server = front(aws, { key: pki.leaf.key, cert: pki.leaf.certificate });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
}, 120_000);

afterAll(() => {
  moto?.kill();
  server?.closeAllConnections();
  server?.close();
});

const document = (name: string): Policy => JSON.parse(blockOf('aws', name)) as Policy;

/** As the page says it. */
function grant(): void {
  aws.roles.set(`${account}/mcp`, { trust: document('sidecar-trust'), policies: [document('sidecar-policy')] });
  aws.roles.set(`${account}/rekey-operator`, { trust: document('operator-trust'), policies: [document('operator-policy')] });
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await fetch(url);
      return;
    } catch (error) {
      if (tries > 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** A token as the API server makes it. */
function tokenOf(sub: string, aud: string = 'sts.amazonaws.com', claims: object = {}): string {
  return signedToken({ iss: issuer, sub, aud: [aud], ...claims }, signer.privateKey);
}

const pod = 'system:serviceaccount:tools:default';
const operator = 'system:serviceaccount:rekey-system:rekey-operator';

/** The page's store, at this port; `region` and roles are the page's. */
const storeAt = (at: number): Store['spec'] => {
  const place = { endpoint: `https://localhost:${at}`, stsEndpoint: `https://localhost:${at}`, caBundle: ca };
  return storeSpec.parse({
    awsSecretsManager: { region: 'eu-central-1', roleARN: `${account}/mcp`, operatorRoleARN: `${account}/rekey-operator`, ...place },
  });
};

async function owner(action: string, input: object): Promise<Record<string, unknown>> {
  const reply = await control(aws)['POST /secrets']?.({ action, input });
  if (reply === undefined || reply.status !== 200) throw new Error(`moto answered ${reply?.status} to ${action}`);
  return reply.body as Record<string, unknown>;
}

const secretId = 'mcp/github';
async function write(value: string): Promise<string> {
  const { VersionId } = await owner('PutSecretValue', { SecretId: secretId, SecretString: value });
  return String(VersionId);
}
async function fresh(): Promise<void> {
  grant();
  await owner('DeleteSecret', { SecretId: secretId, ForceDeleteWithoutRecovery: true }).catch(() => undefined);
  await owner('CreateSecret', { Name: secretId });
}

describe('a credential of AWS Secrets Manager', () => {
  keepsPromises(async (): Promise<Owner> => ({
    source: { awsSecretsManager: { secretId } },
    store: storeAt,
    port,
    lookup,
    token: () => Promise.resolve(tokenOf(pod)),
    write,
    missing: '00000000-0000-4000-8000-000000000000',
    mend: fresh,
    spoils: {
      'the secret is scheduled for deletion': {
        spoil: () => owner('DeleteSecret', { SecretId: secretId, RecoveryWindowInDays: 7 }),
        reason: 'VersionDeleted',
      },
      'the secret is gone': {
        spoil: () => owner('DeleteSecret', { SecretId: secretId, ForceDeleteWithoutRecovery: true }),
        reason: 'SecretNotFound',
      },
      'the policy allows it no more': {
        spoil: () => Promise.resolve(aws.roles.set(`${account}/mcp`, { trust: document('sidecar-trust'), policies: [] })),
        reason: 'SourceDenied',
      },
    },
  }));
});

describe('the identities of the page', () => {
  beforeAll(async () => {
    await fresh();
    await write('sk-identity');
  });

  const open = (token: string): Source =>
    awsSource({ name: 'aws', store: storeAt(port), lookup, token: () => Promise.resolve(token), ...unused });
  const read = async (source: Source, secret = secretId): Promise<Reading | string> => {
    try {
      return await source.read({ awsSecretsManager: { secretId: secret } }, undefined, new AbortController().signal);
    } catch (error) {
      return error instanceof Failure ? error.reason : 'no Failure';
    } finally {
      source.close();
    }
  };
  const metadata = (token: string): MetadataSource =>
    awsMetadata({
      store: { metadata: { name: 'aws' }, spec: storeAt(port) },
      token: () => Promise.resolve(token),
      identity: 'rekey-system/rekey-operator',
      clock: systemClock,
      random: Math.random,
    });

  test('the token of a sidecar reads the value', async () => {
    expect(await read(open(tokenOf(pod)))).toMatchObject({ createdAt: expect.any(Date) as Date });
  });

  test.each([
    ["the app container's own token, for the API server", tokenOf(pod, 'https://kubernetes.default.svc')],
    ['a token of another namespace', tokenOf('system:serviceaccount:other:default')],
    ["the operator's token", tokenOf(operator)],
    ['a token that has ended', tokenOf(pod, 'sts.amazonaws.com', { exp: 1 })],
    ['a token of another issuer', tokenOf(pod, 'sts.amazonaws.com', { iss: 'https://evil.example' })],
    ['no token', 'none'],
  ])('%s is refused the role that reads values', async (_name, token) => {
    expect(await read(open(token))).toBe('SourceDenied');
  });

  test('a secret elsewhere is refused', async () => {
    await owner('CreateSecret', { Name: 'payroll/db', SecretString: 'x' }).catch(() => undefined);
    expect(await read(open(tokenOf(pod)), 'payroll/db')).toBe('SourceDenied');
  });

  test("the operator's role sees the versions, and is refused the value", async () => {
    const source = metadata(tokenOf(operator));
    const { current, aliases } = await source.versions({ awsSecretsManager: { secretId } });
    expect(aliases).toMatchObject({ AWSCURRENT: current });
    await source.check();
    source.close();
    const spec = storeAt(port);
    const asOperator = {
      ...spec,
      awsSecretsManager: spec.awsSecretsManager && { ...spec.awsSecretsManager, roleARN: `${account}/rekey-operator` },
    };
    expect(
      await read(awsSource({ name: 'aws', store: asOperator, lookup, token: () => Promise.resolve(tokenOf(operator)), ...unused })),
    ).toBe('SourceDenied');
  });

  test('a pod may not take the role of the operator', async () => {
    await expect(metadata(tokenOf(pod)).check()).rejects.toMatchObject({ reason: 'SourceDenied' });
  });
});

describe('what the operator sees', () => {
  const versions = async (): Promise<unknown> => {
    const source = awsMetadata({
      store: { metadata: { name: 'aws' }, spec: storeAt(port) },
      token: () => Promise.resolve(tokenOf(operator)),
      identity: 'rekey-system/rekey-operator',
      clock: systemClock,
      random: Math.random,
    });
    try {
      return await source.versions({ awsSecretsManager: { secretId } });
    } catch (error) {
      return error instanceof Failure ? error.reason : 'no Failure';
    } finally {
      source.close();
    }
  };

  test('the newest version, the one before it, and their labels', async () => {
    await fresh();
    const first = await write('sk-1');
    const second = await write('sk-2');
    expect(await versions()).toEqual({
      current: second,
      aliases: { AWSCURRENT: second, AWSPREVIOUS: first },
      states: { [first]: 'Live', [second]: 'Live' },
    });
  });

  test('a version that is being made is none', async () => {
    await fresh();
    const first = await write('sk-1');
    await owner('PutSecretValue', { SecretId: secretId, SecretString: 'sk-2', VersionStages: ['AWSPENDING'] });
    expect(await versions()).toEqual({ current: first, aliases: { AWSCURRENT: first }, states: { [first]: 'Live' } });
  });

  test('a secret without a value, and none at all', async () => {
    await fresh();
    expect(await versions()).toBe('SecretNotFound');
    await owner('DeleteSecret', { SecretId: secretId, ForceDeleteWithoutRecovery: true });
    expect(await versions()).toBe('SecretNotFound');
  });

  test('a secret that is scheduled for deletion', async () => {
    await fresh();
    const first = await write('sk-1');
    await owner('DeleteSecret', { SecretId: secretId, RecoveryWindowInDays: 7 });
    expect(await versions()).toMatchObject({ states: { [first]: 'Deleted' } });
  });
});
