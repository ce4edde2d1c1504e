import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { Store, VaultStore } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { MetadataSource, PollContext } from './poll.ts';
import { openMetadataSource } from './poll.ts';
import { login, metadata, startFakeVault, storeAt } from './vault.fake.ts';
import type { Answer, Asked, FakeVault } from './vault.fake.ts';

const source: CredentialSource = { vault: { path: 'mcp/github', key: 'token' } };
const path = '/v1/kv/metadata/mcp/github';
const now = Date.parse('2026-11-22T12:00:00Z');

let vault: FakeVault;
let opened: MetadataSource;
let time = now;
let wall = now;

/** The first answers to reads, then the last one for ever; a login always works unless `onLogin` says otherwise. */
async function vaultThat(reads: Answer[], onLogin: (times: number) => Answer = (times) => login(`t${times}`)): Promise<void> {
  let logins = 0;
  const left = [...reads];
  vault = await startFakeVault((asked) => {
    if (asked.path.endsWith('/login')) return onLogin((logins += 1));
    return (left.length > 1 ? left.shift() : left[0]) ?? { status: 500 };
  });
  open({ store: vault.store });
}

function open(change: Partial<PollContext>): void {
  opened = openMetadataSource({
    store: vault.store,
    token: (audience) => Promise.resolve(`jwt-for-${audience}`),
    identity: 'rekey/rekey-operator',
    clock: { wall: () => wall, monotonic: () => time },
    random: () => 0,
    ...change,
  });
}

beforeEach(() => {
  [time, wall] = [now, now];
});
afterEach(async () => {
  opened.close();
  await vault.close();
});

const failure = (): Promise<unknown> => opened.versions(source).catch((error: unknown) => error);
const paths = (): string[] => vault.asked.map((asked: Asked) => asked.path);

test('it logs in once as itself, with a token of the store’s audience, and asks for metadata alone', async () => {
  await vaultThat([metadata(8, { 7: {}, 8: {} })]);
  await opened.versions(source);
  expect(await opened.versions(source)).toEqual({ current: '8', states: { 7: 'Live', 8: 'Live' } });
  expect(paths()).toEqual(['/v1/auth/kubernetes/login', path, path]);
  expect(vault.asked[0]?.body).toEqual({ role: 'rekey-operator', jwt: 'jwt-for-vault' });
  expect(vault.asked[2]).toEqual({ method: 'GET', path, token: 't1', body: undefined });
});

test('a version is deleted once its time has come, and destroyed for good', async () => {
  const deleted = { deletion_time: '2026-11-22T11:59:59.5Z' };
  await vaultThat([metadata(9, { 6: { destroyed: true }, 7: deleted, 8: { deletion_time: '2026-11-23T00:00:00Z' }, 9: {} })]);
  expect(await opened.versions(source)).toEqual({ current: '9', states: { 6: 'Destroyed', 7: 'Deleted', 8: 'Live', 9: 'Live' } });
});

test('waiting reads share one login', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  await Promise.all([opened.versions(source), opened.versions(source), opened.check()]);
  expect(paths().filter((one) => one.endsWith('/login'))).toHaveLength(1);
});

test('it logs in again after two thirds of the lease', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  await opened.versions(source);
  time = now + 399_000;
  await opened.versions(source);
  time = now + 401_000;
  await opened.versions(source);
  expect(vault.asked.map(({ token }) => token)).toEqual([undefined, 't1', 't1', undefined, 't2']);
});

test('it does so even when the clock was set back by an hour', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  await opened.versions(source);
  [time, wall] = [now + 401_000, now - 3_600_000];
  await opened.versions(source);
  expect(vault.asked.map(({ token }) => token)).toEqual([undefined, 't1', undefined, 't2']);
});

test('a 403 leads to one new login, and a second one to SourceDenied', async () => {
  await vaultThat([metadata(1, { 1: {} }), { status: 403 }, metadata(2, { 2: {} }), { status: 403 }]);
  await opened.versions(source);
  time = now + 60_000;
  expect(await opened.versions(source)).toMatchObject({ current: '2' });
  expect(vault.asked.map(({ token }) => token)).toEqual([undefined, 't1', 't1', undefined, 't2']);
  time = now + 120_000;
  expect(await failure()).toMatchObject({ reason: 'SourceDenied' });
  expect(vault.asked.map(({ token }) => token).slice(5)).toEqual(['t2', undefined, 't3']);
});

test('who is denied for good logs in once a minute, not at every poll', async () => {
  await vaultThat([{ status: 403 }]);
  for (; time <= now + 120_000; time += 10_000) expect(await failure()).toMatchObject({ reason: 'SourceDenied' });
  expect(paths().filter((one) => one.endsWith('/login'))).toHaveLength(3);
});

interface Fault {
  read: Answer;
  reason: string;
  says: string;
  /** Requests in all, the login included. */
  requests: number;
}

function withPadding(answer: Answer): Answer {
  return { status: 200, body: { ...(answer as { body: object }).body, padding: 'x'.repeat(2_000_000) } };
}

const faults: Record<string, Fault> = {
  'a refused read names the role and the path': {
    read: { status: 403 },
    reason: 'SourceDenied',
    says: 'role rekey-operator may not read kv/metadata/mcp/github',
    requests: 2,
  },
  'no secret': { read: { status: 404 }, reason: 'SecretNotFound', says: 'there is no secret at kv/mcp/github', requests: 2 },
  'metadata without any version': { read: metadata(0, {}), reason: 'SecretNotFound', says: 'kv/mcp/github', requests: 2 },
  'a seal is not knocked at again': { read: { status: 503 }, reason: 'SourceSealed', says: 'is sealed', requests: 2 },
  'throttling is tried three times': { read: { status: 429 }, reason: 'SourceThrottled', says: 'fewer requests', requests: 4 },
  'an error of the vault is tried three times': { read: { status: 500 }, reason: 'SourceUnreachable', says: 'HTTP 500', requests: 4 },
  'a standby that lags is tried three times': { read: { status: 412 }, reason: 'SourceUnreachable', says: 'lags behind', requests: 4 },
  'a hang-up is tried three times': { read: 'hang up', reason: 'SourceUnreachable', says: 'does not answer (ECONNRESET)', requests: 4 },
  'a redirect is not followed': {
    read: { status: 307, headers: { location: 'https://localhost:1/v1/kv/metadata/mcp/github' } },
    reason: 'SourceUnreachable',
    says: 'HTTP 307',
    requests: 2,
  },
  'a redirect to an unknown host says where to name it': {
    read: { status: 307, headers: { location: 'https://elsewhere:8200/v1/kv/metadata/mcp/github' } },
    reason: 'SourceUnreachable',
    says: 'name the host in spec.vault.redirectHosts',
    requests: 2,
  },
  'another kind of answer': {
    read: { status: 200, body: { data: { keys: [] } } },
    reason: 'SourceResponseInvalid',
    says: 'KV version 2',
    requests: 2,
  },
  'an answer without an end': {
    read: withPadding(metadata(1, { 1: {} })),
    reason: 'SourceResponseInvalid',
    says: 'KV version 2',
    requests: 2,
  },
};

test.each(Object.entries(faults))('%s', async (_sentence, { read, reason, says, requests }) => {
  await vaultThat([read]);
  const error = (await failure()) as Failure;
  expect(error).toBeInstanceOf(Failure);
  expect({ reason: error.reason, requests: vault.asked.length }).toEqual({ reason, requests });
  expect(error.message).toContain(says);
  expect(error.message).toContain('MCPCredentialStore default (https://localhost:');
});

test('a fault that passes is not told of', async () => {
  await vaultThat([{ status: 502 }, 'hang up', metadata(3, { 3: {} })]);
  expect(await opened.versions(source)).toMatchObject({ current: '3' });
});

test('nor is one of the login', async () => {
  await vaultThat([metadata(3, { 3: {} })], (times) => (times < 3 ? { status: 502 } : login()));
  expect(await opened.versions(source)).toMatchObject({ current: '3' });
});

test.each([400, 403, 404])('a login that is refused with %s says what to check, and nothing that the vault said', async (status) => {
  await vaultThat([metadata(1, { 1: {} })], () => ({ status, body: { errors: ['canary-of-the-vault'] } }));
  const error = (await failure()) as Failure;
  expect(error.reason).toBe('SourceDenied');
  expect(error.message).toContain('role rekey-operator at auth/kubernetes/login');
  expect(error.message).toContain('is bound to service account rekey/rekey-operator and demands audience vault');
  expect(error.message).not.toContain('canary');
});

test('a login that finds the vault sealed says that it is sealed', async () => {
  await vaultThat([], () => ({ status: 503 }));
  await expect(opened.check()).rejects.toMatchObject({ reason: 'SourceSealed' });
});

test('a role that may not look itself up has logged in all the same', async () => {
  await vaultThat([{ status: 403 }]);
  await expect(opened.check()).resolves.toBeUndefined();
});

test('a certificate that does not verify says so and is asked once', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  const other = await startFakeVault(() => login());
  open({ store: storeAt(vault.store.spec.vault?.address ?? '', other.store.spec.vault?.caBundle ?? '') });
  await other.close();
  const error = (await failure()) as Failure;
  expect(error.reason).toBe('SourceUnreachable');
  expect(error.message).toContain('its certificate does not verify');
  expect(vault.asked).toEqual([]);
});

test('nobody there', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  await vault.close();
  const error = (await failure()) as Failure;
  expect(error.message).toContain('does not answer (ECONNREFUSED): check spec.vault.address');
});

test.each(['read', 'login'])('a vault that keeps silent at the %s', async (step) => {
  await vaultThat(['silence'], () => (step === 'login' ? 'silence' : login()));
  open({ store: vault.store, milliseconds: 200 });
  const error = (await failure()) as Failure;
  expect(error.reason).toBe('SourceUnreachable');
  expect(error.message).toContain('does not answer (no answer in time)');
});

test('an API server that gives no token holds no poll for ever', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  open({ store: vault.store, milliseconds: 200, token: () => new Promise(() => undefined) });
  expect(((await failure()) as Failure).reason).toBe('SourceUnreachable');
});

test('a credential whose source is of another kind than its store', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  await expect(opened.versions({})).rejects.toMatchObject({ reason: 'SecretNotFound' });
});

const jwtAuth = { jwt: { mount: 'cluster', role: 'mcp', operatorRole: 'rekey-operator', audience: 'https://vault' } };
const withSettings = (change: object): Store => ({
  ...vault.store,
  spec: { ...vault.store.spec, vault: { ...vault.store.spec.vault, ...change } as VaultStore },
});

test('JWT auth logs in at its own mount, with its own audience', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  open({ store: withSettings({ auth: jwtAuth }) });
  await opened.versions(source);
  expect(vault.asked[0]).toMatchObject({
    path: '/v1/auth/cluster/login',
    body: { role: 'rekey-operator', jwt: 'jwt-for-https://vault' },
  });
});

test('a refused login by JWT names its role, its mount and its audience', async () => {
  await vaultThat([], () => ({ status: 400 }));
  open({ store: withSettings({ auth: jwtAuth }) });
  const { message } = (await failure()) as Failure;
  expect(message).toContain('role rekey-operator at auth/cluster/login');
  expect(message).toContain('demands audience https://vault');
});

test('a namespace goes with each request, and with none there is no such header', async () => {
  await vaultThat([metadata(1, { 1: {} })]);
  open({ store: withSettings({ namespace: 'team/mcp' }) });
  await opened.versions(source);
  open({});
  await opened.versions(source);
  expect(vault.asked.map(({ namespace }) => namespace)).toEqual(['team/mcp', 'team/mcp', undefined, undefined]);
});

describe('a standby that names the active node', () => {
  let standby: FakeVault;
  const redirects = (to: () => FakeVault): Promise<FakeVault> =>
    startFakeVault(({ path: asked }) => ({ status: 307, headers: { location: `${addressOf(to())}${asked}` } }));
  const addressOf = ({ store }: FakeVault): string => store.spec.vault?.address ?? '';
  const openStandby = (redirectHosts: string[]): void => {
    const settings = { address: addressOf(standby), redirectHosts, caBundle: bundle(standby) + bundle(vault) };
    open({ store: withSettings(settings) });
  };
  const bundle = ({ store }: FakeVault): string => store.spec.vault?.caBundle ?? '';

  beforeEach(async () => {
    await vaultThat([metadata(1, { 1: {} })]);
    standby = await redirects(() => vault);
  });
  afterEach(() => standby.close());

  test('is followed for login and read, to a host that the store allows', async () => {
    openStandby([new URL(addressOf(vault)).host]);
    expect(await opened.versions(source)).toMatchObject({ current: '1' });
    expect(paths()).toEqual(['/v1/auth/kubernetes/login', path]);
  });

  test('is not followed to any other', async () => {
    openStandby(['localhost:1']);
    expect(((await failure()) as Failure).reason).toBe('SourceUnreachable');
    expect(vault.asked).toEqual([]);
  });

  test('is followed once', async () => {
    const far = await redirects(() => standby);
    const settings = { address: addressOf(far), redirectHosts: [addressOf(standby), addressOf(vault)].map((url) => new URL(url).host) };
    open({ store: withSettings({ ...settings, caBundle: bundle(far) + bundle(standby) + bundle(vault) }) });
    expect(((await failure()) as Failure).reason).toBe('SourceUnreachable');
    expect(vault.asked).toEqual([]);
    await far.close();
  });
});
