import { Failure } from '@rekey/lib/reason.ts';
import type { Answer, FakeAWS } from './aws.fake.ts';
import { failed, operatorRole, refused, secret, session, startFakeAWS, storeAt } from './aws.fake.ts';
import type { MetadataSource, PollContext } from './poll.ts';
import { openMetadataSource, placeOf } from './poll.ts';

const source = { awsSecretsManager: { secretId: 'mcp/github' } };
const one = secret({ a: ['AWSCURRENT'] });

let aws: FakeAWS;
let opened: MetadataSource;
let time: number;

/** The first answers to reads, then the last one for ever; a login always works unless `onLogin` says otherwise. */
async function awsThat(reads: Answer[], onLogin: (times: number) => Answer = (times) => session(`ASIA${times}`)): Promise<void> {
  let logins = 0;
  const left = [...reads];
  aws = await startFakeAWS(({ action }) => {
    if (action === 'AssumeRoleWithWebIdentity') return onLogin((logins += 1));
    return (left.length > 1 ? left.shift() : left[0]) ?? { status: 500 };
  });
  open({ store: aws.store });
}

function open(change: Partial<PollContext>): void {
  opened = openMetadataSource({
    store: aws.store,
    token: (audience) => Promise.resolve(`jwt-for-${audience}`),
    identity: 'rekey-system/rekey-operator',
    clock: { wall: () => time, monotonic: () => time },
    random: () => 0,
    ...change,
  });
}

beforeEach(() => {
  time = 0;
});
afterEach(async () => {
  opened.close();
  await aws.close();
});

const actions = (): string[] => aws.asked.map(({ action }) => action);
const keys = (): (string | undefined)[] => aws.asked.map(({ key }) => key);
async function failure(): Promise<Failure> {
  const error: unknown = await opened.versions(source).catch((thrown: unknown) => thrown);
  if (!(error instanceof Failure)) throw new Error(`not a Failure: ${String(error)}`);
  return error;
}

test('it assumes its own role once, with a token of the store’s audience, and asks for metadata alone', async () => {
  await awsThat([secret({ a: ['AWSPREVIOUS'], b: ['AWSCURRENT', 'blue'], c: ['AWSPENDING'] })]);
  await opened.versions(source);
  expect(await opened.versions(source)).toEqual({
    current: 'b',
    states: { a: 'Live', b: 'Live' },
    aliases: { AWSPREVIOUS: 'a', AWSCURRENT: 'b', blue: 'b' },
  });
  expect(actions()).toEqual(['AssumeRoleWithWebIdentity', 'DescribeSecret', 'DescribeSecret']);
  expect(aws.asked[0]?.input).toMatchObject({
    RoleArn: operatorRole,
    RoleSessionName: 'rekey-system.rekey-operator',
    WebIdentityToken: 'jwt-for-sts.amazonaws.com',
  });
  expect(aws.asked[1]?.input).toEqual({ SecretId: 'mcp/github' });
});

test('a secret that is scheduled for deletion has versions, all of them deleted', async () => {
  await awsThat([secret({ a: ['AWSCURRENT'] }, { DeletedDate: 1_764_000_000 })]);
  expect(await opened.versions(source)).toMatchObject({ current: 'a', states: { a: 'Deleted' } });
});

test('waiting reads share one login', async () => {
  await awsThat([one]);
  await Promise.all([opened.versions(source), opened.versions(source), opened.check()]);
  expect(actions().filter((action) => action === 'AssumeRoleWithWebIdentity')).toHaveLength(1);
});

test('it assumes the role again after two thirds of the session', async () => {
  await awsThat([one]);
  for (const minutes of [0, 35, 42]) {
    time = minutes * 60_000;
    await opened.versions(source);
  }
  expect(keys()).toEqual([undefined, 'ASIA1', 'ASIA1', undefined, 'ASIA2']);
});

test('credentials that AWS knows no more lead to one new login, and then to SourceDenied', async () => {
  await awsThat([one, failed('ExpiredTokenException'), one, failed('ExpiredTokenException')]);
  await opened.versions(source);
  expect(await opened.versions(source)).toMatchObject({ current: 'a' });
  expect(keys()).toEqual([undefined, 'ASIA1', 'ASIA1', undefined, 'ASIA2']);
  expect(await failure()).toMatchObject({ reason: 'SourceDenied' });
  expect(keys().slice(5)).toEqual(['ASIA2', undefined, 'ASIA3']);
});

test('credentials that are new and refused all the same lead to no other login', async () => {
  await awsThat([failed('UnrecognizedClientException')]);
  expect(await failure()).toMatchObject({ reason: 'SourceDenied' });
  expect(keys()).toEqual([undefined, 'ASIA1']);
});

interface Fault {
  read: Answer;
  reason: string;
  says: string;
  /** Requests in all, the login included. */
  requests: number;
}

const faults: Record<string, Fault> = {
  'a refused read names the role and what its policy needs': {
    read: failed('AccessDeniedException'),
    reason: 'SourceDenied',
    says: `${operatorRole} may not read mcp/github in MCPCredentialStore aws (AccessDeniedException): let its policy allow secretsmanager:DescribeSecret`,
    requests: 2,
  },
  'no secret': {
    read: failed('ResourceNotFoundException'),
    reason: 'SecretNotFound',
    says: 'there is no secret mcp/github in MCPCredentialStore aws, or it has no value yet: check its name and the region of the store',
    requests: 2,
  },
  'a secret without a value': { read: secret({}), reason: 'SecretNotFound', says: 'mcp/github has no value yet', requests: 2 },
  'throttling is tried three times': {
    read: failed('ThrottlingException'),
    reason: 'SourceThrottled',
    says: 'fewer requests',
    requests: 4,
  },
  'an error of AWS is tried three times': { read: { status: 500 }, reason: 'SourceUnreachable', says: 'HTTP 500', requests: 4 },
  'a hang-up is tried three times': {
    read: 'hang up',
    reason: 'SourceUnreachable',
    says: 'cannot be reached (ECONNRESET)',
    requests: 4,
  },
  'a redirect is not followed': {
    read: { status: 307, headers: { location: 'https://localhost:1/' } },
    reason: 'SourceUnreachable',
    says: 'sends elsewhere (HTTP 307), which is not followed',
    requests: 4,
  },
  'another kind of answer': { read: { status: 200, body: '<html>' }, reason: 'SourceResponseInvalid', says: 'mcp/github', requests: 2 },
  'an answer without an end': {
    read: secret({ a: ['AWSCURRENT'] }, { Description: 'x'.repeat(2_000_000) }),
    reason: 'SourceResponseInvalid',
    says: 'larger than a secret can be',
    requests: 2,
  },
};

test.each(Object.entries(faults))('%s', async (_sentence, { read, reason, says, requests }) => {
  await awsThat([read]);
  const error = await failure();
  expect({ reason: error.reason, requests: aws.asked.length }).toEqual({ reason, requests });
  expect(error.message).toContain(says);
  expect(error.message).not.toContain('canary');
});

test.each(['AccessDenied', 'InvalidIdentityToken', 'ExpiredTokenException'])(
  'a role that is refused with %s says what to check, and nothing that STS said',
  async (code) => {
    await awsThat([one], () => refused(code));
    const { reason, message } = await failure();
    expect(reason).toBe('SourceDenied');
    expect(message).toContain(`STS refuses (${code}), assuming ${operatorRole} at https://localhost:`);
    expect(message).toContain('names that provider, service account rekey-system/rekey-operator and audience sts.amazonaws.com');
    expect(message).not.toContain('canary');
    await expect(opened.check()).rejects.toMatchObject({ reason: 'SourceDenied' });
  },
);

test('a fault that passes is not told of, of the read and of the login', async () => {
  await awsThat([{ status: 502 }, 'hang up', one], (times) => (times < 2 ? { status: 502 } : session()));
  await expect(opened.check()).resolves.toBeUndefined();
  expect(await opened.versions(source)).toMatchObject({ current: 'a' });
});

test('a certificate that does not verify says so, and gets no token', async () => {
  await awsThat([one]);
  const other = await startFakeAWS(() => one);
  open({ store: storeAt(aws.store.spec.awsSecretsManager?.endpoint ?? '', other.store.spec.awsSecretsManager?.caBundle ?? '') });
  await other.close();
  const { reason, message } = await failure();
  expect(reason).toBe('SourceUnreachable');
  expect(message).toContain('the certificate does not verify');
  expect(message).toContain('caBundle');
  expect(aws.asked).toEqual([]);
});

test('an API server that gives no token holds no poll for ever', async () => {
  await awsThat([one]);
  open({ milliseconds: 200, token: () => new Promise(() => undefined) });
  expect(await failure()).toMatchObject({ reason: 'SourceUnreachable' });
});

test('a credential whose source is of another kind than its store', async () => {
  await awsThat([one]);
  await expect(opened.versions({})).rejects.toMatchObject({ reason: 'SecretNotFound' });
});

test('a secret is named by region and name, or by its ARN', async () => {
  await awsThat([one]);
  const arn = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp/github-AbCdEf';
  expect(placeOf(aws.store.spec, source)).toBe('eu-central-1/mcp/github');
  expect(placeOf(aws.store.spec, { awsSecretsManager: { secretId: arn } })).toBe(arn);
});
