import { Failure } from '@rekey/lib/reason.ts';
import type { Answer, FakeGCP } from './gcp.fake.ts';
import { failed, granted, provider, secret, startFakeGCP, storeAt, versions } from './gcp.fake.ts';
import type { MetadataSource, PollContext } from './poll.ts';
import { openMetadataSource, placeOf } from './poll.ts';

const source = { gcpSecretManager: { secret: 'mcp-github' } };
const one = versions({ 1: 1 });

let gcp: FakeGCP;
let opened: MetadataSource;
let time: number;

/** The first answers to listing versions, then the last one for ever; a login always works unless `onLogin` says otherwise. */
async function gcpThat(
  lists: Answer[],
  { onLogin = (times) => granted(`t${times}`), got = secret() }: { onLogin?: (times: number) => Answer; got?: Answer } = {},
): Promise<void> {
  let logins = 0;
  const left = [...lists];
  gcp = await startFakeGCP(({ action }) => {
    if (action === 'exchange') return onLogin((logins += 1));
    if (action === 'get') return got;
    return (left.length > 1 ? left.shift() : left[0]) ?? { status: 500 };
  });
  open({ store: gcp.store });
}

function open(change: Partial<PollContext>): void {
  opened = openMetadataSource({
    store: gcp.store,
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
  await gcp.close();
});

const actions = (): string[] => gcp.asked.map(({ action }) => action);
const tokens = (): (string | undefined)[] => gcp.asked.map(({ token }) => token);
async function failure(): Promise<Failure> {
  const error: unknown = await opened.versions(source).catch((thrown: unknown) => thrown);
  if (!(error instanceof Failure)) throw new Error(`not a Failure: ${String(error)}`);
  return error;
}

test('it logs in once, with a token of the store’s audience, and asks for metadata alone', async () => {
  await gcpThat([versions({ 1: 3, 9: 2, 10: 1 })], { got: secret({ stable: '9' }) });
  await opened.versions(source);
  expect(await opened.versions(source)).toEqual({
    current: '10',
    states: { 1: 'Destroyed', 9: 'Disabled', 10: 'Live' },
    aliases: { stable: '9' },
  });
  expect(actions()).toEqual(['exchange', 'list', 'get', 'list', 'get']);
  expect(tokens()).toEqual([undefined, 't1', 't1', 't1', 't1']);
  const form = Object.fromEntries(new URLSearchParams(gcp.asked[0]?.body));
  expect(form).toMatchObject({ audience: provider, subject_token: `jwt-for-https:${provider}` });
  expect(gcp.asked[1]?.path).toBe('/v1/projects/my-project/secrets/mcp-github/versions');
});

test('it acts as the service account of the operator, not as that of the sidecars', async () => {
  gcp = await startFakeGCP(({ action }) => {
    if (action === 'exchange') return granted('federated');
    if (action === 'impersonate') return { status: 200, body: { accessToken: 'own', expireTime: '2099-01-01T00:00:00Z' } };
    return action === 'get' ? secret() : one;
  });
  const accounts = { serviceAccount: 'mcp@p.iam.gserviceaccount.com', operatorServiceAccount: 'op@p.iam.gserviceaccount.com' };
  const { endpoint = '', caBundle = '' } = gcp.store.spec.gcpSecretManager ?? {};
  open({ store: storeAt(endpoint, caBundle, accounts) });
  await opened.versions(source);
  expect(gcp.asked[1]).toMatchObject({
    path: '/v1/projects/-/serviceAccounts/op@p.iam.gserviceaccount.com:generateAccessToken',
    token: 'federated',
  });
  expect(tokens().slice(2)).toEqual(['own', 'own']);
});

test('waiting reads share one login', async () => {
  await gcpThat([one]);
  await Promise.all([opened.versions(source), opened.versions(source), opened.check()]);
  expect(actions().filter((action) => action === 'exchange')).toHaveLength(1);
});

test('it logs in again after two thirds of the token’s life', async () => {
  await gcpThat([one]);
  for (const minutes of [0, 35, 42]) {
    time = minutes * 60_000;
    await opened.versions(source);
  }
  expect(tokens().filter((token) => token !== undefined)).toEqual(['t1', 't1', 't1', 't1', 't2', 't2']);
});

test('a token that Google knows no more leads to one new login, and then to SourceDenied', async () => {
  const over = failed(401, 'UNAUTHENTICATED');
  await gcpThat([one, over, one, over]);
  await opened.versions(source);
  expect(await opened.versions(source)).toMatchObject({ current: '1' });
  expect(tokens()).toEqual([undefined, 't1', 't1', 't1', undefined, 't2', 't2']);
  expect(await failure()).toMatchObject({ reason: 'SourceDenied' });
  expect(tokens().slice(7)).toEqual(['t2', undefined, 't3']);
});

interface Fault {
  list: Answer;
  reason: string;
  says: string;
  /** Requests in all, the login included. */
  requests: number;
}

const where = 'projects/my-project/secrets/mcp-github in MCPCredentialStore gcp';
const faults: Record<string, Fault> = {
  'a refused read names who asks and the role that it needs': {
    list: failed(403, 'PERMISSION_DENIED'),
    reason: 'SourceDenied',
    says: `the principal of service account rekey-system/rekey-operator may not do this, reading ${where}: grant it roles/secretmanager.viewer on the secret`,
    requests: 2,
  },
  'no secret': { list: failed(404, 'NOT_FOUND'), reason: 'SecretNotFound', says: 'check its project and its name', requests: 2 },
  'a secret without a version': { list: versions({}), reason: 'SecretNotFound', says: 'gcloud secrets versions add', requests: 3 },
  'who is throttled does not try again, for others share the quota': {
    list: failed(429, 'RESOURCE_EXHAUSTED'),
    reason: 'SourceThrottled',
    says: `(HTTP 429), reading ${where}: the quota of the project is used up`,
    requests: 2,
  },
  'an error of Google is tried three times': { list: { status: 500 }, reason: 'SourceUnreachable', says: 'HTTP 500', requests: 4 },
  'a hang-up is tried three times': {
    list: 'hang up',
    reason: 'SourceUnreachable',
    says: 'cannot be reached (ECONNRESET)',
    requests: 4,
  },
  'a redirect is not followed': {
    list: { status: 307, headers: { location: 'https://localhost:1/' } },
    reason: 'SourceUnreachable',
    says: 'sends elsewhere (HTTP 307), which is not followed',
    requests: 4,
  },
  'another kind of answer': { list: { status: 200, body: '<html>' }, reason: 'SourceResponseInvalid', says: where, requests: 2 },
  'a page of a proxy is not the word of Google': {
    list: { status: 403, body: '<html>' },
    reason: 'SourceResponseInvalid',
    says: where,
    requests: 2,
  },
  'an answer without an end': {
    list: versions({ 1: 1 }, { nextPageToken: 'x'.repeat(2_000_000) }),
    reason: 'SourceResponseInvalid',
    says: 'larger than a secret can be',
    requests: 2,
  },
};

test.each(Object.entries(faults))('%s', async (_sentence, { list, reason, says, requests }) => {
  await gcpThat([list]);
  const error = await failure();
  expect({ reason: error.reason, requests: gcp.asked.length }).toEqual({ reason, requests });
  expect(error.message).toContain(says);
  expect(error.message).not.toContain('canary');
});

test.each(['invalid_grant', 'invalid_target', 'unauthorized_client'])(
  'a token that is refused with %s says what to check, and nothing that STS said',
  async (error) => {
    await gcpThat([one], { onLogin: () => ({ status: 400, body: { error, error_description: 'canary-of-sts' } }) });
    const { reason, message } = await failure();
    expect(reason).toBe('SourceDenied');
    expect(message).toContain('exchanging a token of the cluster at https://localhost:');
    expect(message).toContain(`allows audience https:${provider}`);
    expect(message).toContain('holds for service account rekey-system/rekey-operator');
    expect(message).not.toContain('canary');
    await expect(opened.check()).rejects.toMatchObject({ reason: 'SourceDenied' });
  },
);

test('a fault that passes is not told of, of the read and of the login', async () => {
  await gcpThat([{ status: 502 }, 'hang up', one], { onLogin: (times) => (times < 2 ? { status: 502 } : granted()) });
  await expect(opened.check()).resolves.toBeUndefined();
  expect(await opened.versions(source)).toMatchObject({ current: '1' });
});

test('a certificate that does not verify says so, and gets no token', async () => {
  await gcpThat([one]);
  const other = await startFakeGCP(() => one);
  open({ store: storeAt(gcp.store.spec.gcpSecretManager?.endpoint ?? '', other.store.spec.gcpSecretManager?.caBundle ?? '') });
  await other.close();
  const { reason, message } = await failure();
  expect(reason).toBe('SourceUnreachable');
  expect(message).toContain('the certificate does not verify');
  expect(message).toContain('caBundle');
  expect(gcp.asked).toEqual([]);
});

test('an API server that gives no token holds no poll for ever', async () => {
  await gcpThat([one]);
  open({ milliseconds: 200, token: () => new Promise(() => undefined) });
  expect(await failure()).toMatchObject({ reason: 'SourceUnreachable' });
});

test('a credential whose source is of another kind than its store', async () => {
  await gcpThat([one]);
  await expect(opened.versions({})).rejects.toMatchObject({ reason: 'SecretNotFound' });
});

test('a secret is named as Google names it, in the project that the credential or the store says', async () => {
  await gcpThat([one]);
  expect(placeOf(gcp.store.spec, source)).toBe('projects/my-project/secrets/mcp-github');
  expect(placeOf(gcp.store.spec, { gcpSecretManager: { secret: 'x', project: 'other' } })).toBe('projects/other/secrets/x');
});
