import { inspect } from 'node:util';
import { Failure } from '@rekey/lib/reason.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import type { Provider } from '../contract.fixture.ts';
import { bearsFaults } from '../contract.fixture.ts';
import type { Reading, Source } from '../source.ts';
import { unused } from '../unused.fixture.ts';
import type { FakeAWS } from './aws.fake.ts';
import { fakeAWS, id } from './aws.fake.ts';
import { awsSource } from './aws.ts';

const reference = { awsSecretsManager: { secretId: 'mcp/github' } };
const limits = { attempts: 3, attempt: 10_000, budget: 30_000, pause: 1 };
const role = 'arn:aws:iam::123456789012:role/mcp';
let aws: FakeAWS;
let source: Source;
let jwt: string;

beforeEach(async () => {
  aws = await fakeAWS();
  jwt = 'jwt-1';
  source = open();
});
afterEach(async () => {
  source.close();
  await aws.server.close();
});

function open({ of = aws, roleARN = role, limits: within = limits }: { of?: FakeAWS; roleARN?: string; limits?: Limits } = {}): Source {
  const place = { region: 'eu-central-1', endpoint: of.address, stsEndpoint: of.address, caBundle: of.server.ca };
  const awsSecretsManager = { ...place, roleARN, operatorRoleARN: role, audience: 'sts.amazonaws.com' };
  const token = (): Promise<string> => Promise.resolve(`${jwt}\n`);
  const store = { awsSecretsManager, pollIntervalSeconds: 60 };
  return awsSource({ name: 'aws', store, token, lookup: of.server.lookup, ...unused }, within);
}

const read = (version?: string, of: object = {}): Promise<Reading> =>
  source.read({ awsSecretsManager: { ...reference.awsSecretsManager, ...of } }, version, new AbortController().signal);
const failureOf = async (reading: Promise<Reading>): Promise<Failure> => {
  const error: unknown = await reading.catch((error: unknown) => error);
  if (error instanceof Failure) return error;
  throw new Error(`no Failure: ${inspect(error)}`);
};

describe('a read', () => {
  test('assumes the role once with the token of the pod, under the name of the pod, and keeps the connection', async () => {
    const { value, version, createdAt } = await read();
    expect({ value: value.reveal(), version, createdAt }).toEqual({
      value: 'sk-1',
      version: id(1),
      createdAt: new Date(1_764_000_000_500),
    });
    for (let more = 0; more < 5; more += 1) await read();
    expect(aws.logins.map((form) => Object.fromEntries(form))).toEqual([
      {
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: role,
        RoleSessionName: 'tools.mcp-github-0',
        WebIdentityToken: 'jwt-1',
      },
    ]);
    expect(aws.reads).toHaveLength(6);
    expect(aws.server.connections()).toBe(1);
  });

  test('asks for AWSCURRENT, for an id, or for a staging label; the version is the id in each case', async () => {
    aws.secrets.set('mcp/github', [
      { id: id(1), stages: ['AWSPREVIOUS'], text: 'sk-1' },
      { id: id(2), stages: ['AWSCURRENT'], text: 'sk-2' },
    ]);
    expect((await read()).version).toBe(id(2));
    expect((await read(id(1))).value.reveal()).toBe('sk-1');
    expect((await read('AWSPREVIOUS')).version).toBe(id(1));
    expect(aws.reads).toEqual([
      { SecretId: 'mcp/github' },
      { SecretId: 'mcp/github', VersionId: id(1) },
      { SecretId: 'mcp/github', VersionStage: 'AWSPREVIOUS' },
    ]);
  });

  test('gives a key of a JSON secret, and what is binary', async () => {
    aws.secrets.set('mcp/github', [{ id: id(1), stages: ['AWSCURRENT'], text: '{"oauth":{"token":"sk-in"}}' }]);
    expect((await read(undefined, { key: 'oauth.token' })).value.reveal()).toBe('sk-in');
    aws.secrets.set('mcp/github', [{ id: id(1), stages: ['AWSCURRENT'], binary: Buffer.from('sk-bin\n') }]);
    expect((await read()).value.reveal()).toBe('sk-bin');
  });

  test('gives the user that the secret holds beside the password', async () => {
    aws.secrets.set('mcp/github', [{ id: id(1), stages: ['AWSCURRENT'], text: '{"username":"bot","password":"sk-in"}' }]);
    const { value } = await read(undefined, { key: 'password', userKey: 'username' });
    expect([value.user?.reveal(), value.reveal()]).toEqual(['bot', 'sk-in']);
  });

  test('takes the role of the reference before that of the store', async () => {
    const own = 'arn:aws:iam::123456789012:role/team/mcp';
    await read(undefined, { roleARN: own });
    expect(aws.logins.map((form) => form.get('RoleArn'))).toEqual([own]);
  });
});

describe('the reason why there is no value', () => {
  const cases: Record<string, [() => void, string | undefined, string]> = {
    'no such secret': [() => aws.secrets.clear(), undefined, 'SecretNotFound'],
    'no such secret, asked for a version': [() => aws.secrets.clear(), id(1), 'SecretNotFound'],
    'no such id of a secret that is there': [() => undefined, id(9), 'VersionNotFound'],
    'no such label of a secret that is there': [() => undefined, 'AWSPREVIOUS', 'VersionNotFound'],
    'a version that is being made': [
      () => aws.secrets.set('mcp/github', [{ id: id(1), stages: ['AWSPENDING'], text: 'sk' }]),
      'AWSPENDING',
      'VersionNotFound',
    ],
    'a secret that is to be deleted': [() => (aws.error = 'InvalidRequestException'), undefined, 'VersionDeleted'],
    'no permission': [() => (aws.error = 'AccessDeniedException'), undefined, 'SourceDenied'],
    'no permission for the key': [() => (aws.error = 'DecryptionFailure'), undefined, 'SourceDenied'],
    'too many requests': [() => (aws.error = 'ThrottlingException'), undefined, 'SourceThrottled'],
    'an error of their own': [() => (aws.error = 'InternalServiceError'), undefined, 'SourceUnreachable'],
    'an error that nobody knows': [() => (aws.error = 'NewException'), undefined, 'SourceResponseInvalid'],
    'an empty value': [
      () => aws.secrets.set('mcp/github', [{ id: id(1), stages: ['AWSCURRENT'], text: '' }]),
      undefined,
      'SecretValueEmpty',
    ],
  };

  test.each(Object.entries(cases))('%s', async (_name, [prepare, version, reason]) => {
    prepare();
    const failure = await failureOf(read(version));
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('mcp/github in store aws');
  });
});

describe('the identity', () => {
  test('credentials that ended: exactly one new login, with the token as it is now, and the read goes on', async () => {
    await read();
    aws.keys.clear();
    jwt = 'jwt-2';
    expect((await read()).version).toBe(id(1));
    expect(aws.logins.map((form) => form.get('WebIdentityToken'))).toEqual(['jwt-1', 'jwt-2']);
    expect(aws.reads).toHaveLength(3);
  });

  test('a role that does not trust this pod: SourceDenied with the role, and Secrets Manager is not asked', async () => {
    source.close();
    source = open({ roleARN: 'arn:aws:iam::123456789012:role/other' });
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceDenied');
    expect(failure.message).toContain('role/other');
    expect(aws.reads).toEqual([]);
  });

  test('many reads at once share one login', async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));
    expect(aws.logins).toHaveLength(1);
    expect(aws.server.connections()).toBeLessThanOrEqual(4);
  });
});

describe('AWS in trouble', () => {
  const start = async (): Promise<Provider> => {
    const faulty = await fakeAWS();
    return {
      fail: (answer) => {
        faulty.fault = (request, response) => {
          answer?.(request, response);
          return answer !== undefined;
        };
      },
      open: (within) => open({ of: faulty, limits: within }),
      reference,
      close: () => faulty.server.close(),
    };
  };
  bearsFaults(start);
});
