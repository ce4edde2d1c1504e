import type { ServerResponse } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { ProbeResult, Use } from '@rekey/crds/binding.ts';
import type { CredentialSpec, CredentialStatus } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { fakeApiServer } from '../api-server.fake.ts';
import type { FakeApiServer } from '../api-server.fake.ts';
import { fakeClock } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import type { LiveCredential } from '../credential/credential.ts';
import { startCredentials } from '../credential/credentials.ts';
import type { LiveCredentials } from '../credential/credentials.ts';
import { fakeServer, json } from '../upstream/https.fake.ts';
import type { FakeServer } from '../upstream/https.fake.ts';
import { fakeVault } from '../source/vault/vault.fake.ts';
import type { FakeVault } from '../source/vault/vault.fake.ts';
import { trustedBy } from '../tls/trust.ts';

// The whole sidecar but its door: a real API server's protocol, a vault, and an upstream that knows which values are good.

const upstreamName = 'api.github.test';
let api: FakeApiServer;
let vault: FakeVault;
let upstream: FakeServer;
let clock: FakeClock;
let running: LiveCredentials;
let seen: { method: string; url: string; headers: Record<string, unknown> }[];
let answer: (value: string, response: ServerResponse) => void;

beforeEach(async () => {
  api = await fakeApiServer();
  vault = await fakeVault();
  clock = fakeClock();
  seen = [];
  answer = (value, response) => json(response, value === 'Bearer sk-3' ? 401 : 200, { login: 'octocat', id: value.length });
  upstream = await fakeServer(upstreamName, ({ method = '', url = '', headers }, response) => {
    seen.push({ method, url, headers });
    answer(String(headers.authorization), response);
  });
  vault.secrets.set(
    'mcp/github',
    [1, 2, 3].map((version) => ({ data: { token: `sk-${version}` } })),
  );
});
afterEach(async () => {
  await running.stop();
  await Promise.all([api.close(), vault.server.close(), upstream.close()]);
});

const lookup: LookupFunction = (name, options, callback) =>
  (name === upstreamName ? upstream : vault.server).lookup(name, options, callback);

const spec = (probe: object = { path: '/user' }, over: Partial<CredentialSpec> = {}): CredentialSpec => ({
  source: { vault: { path: 'mcp/github', key: 'token' } },
  storeRef: { name: 'default' },
  version: '',
  hosts: [`${upstreamName}:${upstream.port}`],
  inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
  refused: [{ status: 401 }],
  env: [{ name: 'TOKEN' }],
  podSelector: { matchLabels: { app: 'mcp' } },
  cacheTTLSeconds: 60,
  maxStaleSeconds: 300,
  suspend: false,
  rotation: {
    probe: { method: 'GET', path: '/user', headers: [], expectedStatus: 200, ...probe },
    canaryPods: 0,
    canarySeconds: 60,
    graceSeconds: 0,
    refusalThreshold: 50,
    expiryWarningDays: 14,
  },
  ...over,
});

const collection = '/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentials';
function announce(status: CredentialStatus, of: CredentialSpec = spec()): void {
  api.set(collection, { metadata: { name: 'github', namespace: 'tools' }, spec: of, status } as never);
}
const probing = (candidate: string, pods: string[], more: object = {}): CredentialStatus => ({
  version: '1',
  exact: true,
  rotation: { phase: 'Probing', trigger: 'SourceChanged', candidate, pods, startedAt: '2026-11-25T12:00:00.000Z' },
  ...more,
});

/** The pod mcp-0, as far as it has reported with version 1. */
async function start(status: CredentialStatus, of: CredentialSpec = spec()): Promise<LiveCredential> {
  const auth = { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } };
  const store: StoreSpec = { vault: { address: vault.address, caBundle: vault.server.ca, mount: 'kv', auth }, pollIntervalSeconds: 10 };
  api.set('/apis/rekey.dev/v1alpha1/mcpcredentialstores', { metadata: { name: 'default' }, spec: store } as never);
  announce(status, of);
  running = startCredentials({
    config: {
      namespace: 'tools',
      pod: 'mcp-0',
      podUID: 'uid-1',
      serviceAccount: 'default',
      extraCA: upstream.ca,
      logLevel: 'info',
      auditOTLP: undefined,
      kubernetes: { host: 'localhost', port: api.server.port },
      identity: api.identity,
      secrets: api.identity,
      snapshot: { credentials: [{ name: 'github', version: '1', exact: true, spec: of }], stores: [{ name: 'default', spec: store }] },
    },
    log: () => undefined,
    lookup,
    trusted: trustedBy(upstream.ca),
    clock,
    random: () => 0,
  });
  const [live] = running.list();
  if (live === undefined) throw new Error('no credential');
  return live;
}

async function until(condition: () => boolean | Promise<boolean>, step = 1): Promise<void> {
  while (!(await condition())) {
    await clock.pass(step);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
const use = (): Use | undefined => api.patches.at(-1)?.body.status.credentials[0] as unknown as Use | undefined;
async function result(outcome: ProbeResult['outcome']): Promise<ProbeResult> {
  await until(() => use()?.probe?.outcome === outcome, 50);
  return use()?.probe as ProbeResult;
}
const carried = async (live: LiveCredential): Promise<string> => (await live.grant()).value.reveal();

test('the pod that is asked tries the candidate as a call would carry it, and its calls keep the version in use', async () => {
  const live = await start(
    probing('2', ['mcp-0']),
    spec({
      path: '/user?per_page=1',
      headers: [
        { name: 'Notion-Version', value: '2022-06-28' },
        { name: 'AUTHORIZATION', value: 'other' },
      ],
    }),
  );
  expect(await result('Accepted')).toEqual({ version: '2', startedAt: '2026-11-25T12:00:00.000Z', outcome: 'Accepted', status: 200 });
  expect(seen).toMatchObject([
    {
      method: 'GET',
      url: '/user?per_page=1',
      headers: { authorization: 'Bearer sk-2', 'notion-version': '2022-06-28', 'user-agent': 'rekey' },
    },
  ]);
  expect(await carried(live)).toBe('sk-1');
  expect(use()?.version).toBe('1');
});

test('a value that goes into the query is carried there', async () => {
  await start(probing('2', ['mcp-0']), spec({ path: '/maps?q=x' }, { inject: [{ query: { name: 'key' } }] }));
  await result('Accepted');
  expect(seen[0]?.url).toBe('/maps?q=x&key=sk-2');
});

test('a user and a password of the secret are carried in basic authentication', async () => {
  vault.secrets.set(
    'mcp/jira',
    [1, 2].map((version) => ({ data: { user: `bot-${version}`, password: `sk-${version}` } })),
  );
  const source = { vault: { path: 'mcp/jira', key: 'password', userKey: 'user' } };
  await start(probing('2', ['mcp-0']), spec({ path: '/myself' }, { source, inject: [{ basic: {} }] }));
  await result('Accepted');
  expect(seen[0]?.headers['authorization']).toBe(`Basic ${btoa('bot-2:sk-2')}`);
});

test('another pod is not asked', async () => {
  const live = await start(probing('2', ['mcp-1']));
  await until(() => use()?.version === '1', 50);
  await clock.pass(1000);
  expect(seen).toEqual([]);
  expect(await carried(live)).toBe('sk-1');
});

test('a refused candidate is told with what was asked and answered, and no value', async () => {
  await start(probing('3', ['mcp-0']), spec({ path: '/user?secret=1' }));
  const { message } = await result('Refused');
  expect(message).toBe(`GET ${upstreamName}:${upstream.port}/user answers 401`);
  expect(JSON.stringify(api.patches)).not.toContain('sk-');
});

const answers: Record<string, [number, object, ProbeResult['outcome']]> = {
  'the expected status is acceptance': [200, {}, 'Accepted'],
  'a sign in the body of an answer that looks good is a refusal': [200, { error: 'invalid_auth' }, 'Refused'],
  'another status is a refusal': [404, {}, 'Refused'],
  'a redirect is not followed, and not what was expected': [302, {}, 'Refused'],
  'too many requests say nothing of the version': [429, {}, 'Failed'],
  'a broken upstream says nothing of the version': [503, {}, 'Failed'],
};
test.each(Object.entries(answers))('%s', async (_sentence, [status, body, outcome]) => {
  answer = (_value, response) => json(response, status, body);
  await start(
    probing('2', ['mcp-0']),
    spec({}, { refused: [{ status: 401 }, { status: 200, jsonField: 'error', equals: 'invalid_auth' }] }),
  );
  expect(await result(outcome)).toMatchObject({ status });
  expect(seen).toHaveLength(1);
});

test('what says nothing is tried again until it says something', async () => {
  answer = (_value, response) => json(response, seen.length < 3 ? 503 : 200, {});
  await start(probing('2', ['mcp-0']));
  await result('Failed');
  await until(() => use()?.probe?.outcome === 'Accepted', 500);
  expect(seen).toHaveLength(3);
});

test('a candidate that the source does not give is no refusal by the upstream', async () => {
  await start(probing('9', ['mcp-0']));
  expect(await result('Failed')).toMatchObject({ reason: 'VersionNotFound' });
  expect(seen).toEqual([]);
});

test('an upstream whose certificate does not verify gets no value', async () => {
  const stranger = await fakeServer(upstreamName, (_request, response) => json(response, 200, {}), true);
  const own = upstream;
  upstream = { ...stranger, ca: own.ca, close: async () => void (await Promise.all([stranger.close(), own.close()])) };
  await start(probing('2', ['mcp-0']));
  expect(await result('Failed')).toMatchObject({ reason: 'UpstreamCertificateInvalid' });
});

test('a question that is asked again under another name is answered again, one that is withdrawn is not', async () => {
  await start(probing('2', ['mcp-0']));
  await result('Accepted');
  announce(probing('2', ['mcp-0'], { account: 'x' }));
  await clock.pass(1000);
  await until(() => api.asked.some((line) => line.startsWith(`watch ${collection}`)), 1);
  announce(probing('2', ['mcp-0'], { account: 'y' }), spec({ path: '/user' }, { cacheTTLSeconds: 5 }));
  await until(() => running.list()[0]?.spec()?.cacheTTLSeconds === 5, 1);
  let turns = 0;
  await until(() => (turns += 1) > 50, 1);
  expect(seen).toHaveLength(1);
  const again = probing('2', ['mcp-0']);
  announce({ ...again, rotation: { ...again.rotation, startedAt: '2026-11-25T13:00:00.000Z' } as never });
  await until(() => use()?.probe?.startedAt === '2026-11-25T13:00:00.000Z', 50);
  expect(seen.map(({ headers }) => headers['authorization'])).toEqual(['Bearer sk-2', 'Bearer sk-2']);
});

test('whose credential it is leaves the pod as a fingerprint only, beside that of the version in use', async () => {
  await start(probing('2', ['mcp-0']), spec({ sameAccountField: 'login' }));
  const { account, currentAccount } = await result('Accepted');
  expect(account).toMatch(/^[0-9a-f]{12}$/u);
  expect(currentAccount).toBe(account);
  expect(seen.map(({ headers }) => headers['authorization'])).toEqual(['Bearer sk-2', 'Bearer sk-1']);
  expect(JSON.stringify(api.patches)).not.toContain('octocat');
});

test('another account has another fingerprint', async () => {
  answer = (value, response) => json(response, 200, { login: value === 'Bearer sk-2' ? 'mallory' : 'octocat' });
  await start(probing('2', ['mcp-0']), spec({ sameAccountField: 'login' }));
  const { account, currentAccount } = await result('Accepted');
  expect(account).not.toBe(currentAccount);
});

test('when the account is known the version in use is not asked', async () => {
  await start(probing('2', ['mcp-0'], { account: '0123456789ab' }), spec({ sameAccountField: 'login' }));
  expect(await result('Accepted')).not.toHaveProperty('currentAccount');
  expect(seen).toHaveLength(1);
});

test('an answer without the field is a refusal', async () => {
  await start(probing('2', ['mcp-0']), spec({ sameAccountField: 'user.name' }));
  expect((await result('Refused')).message).toBe('the answer has no field user.name');
});

describe('canaries', () => {
  const canary = (pods: string[]): CredentialStatus => {
    const { rotation } = probing('2', pods);
    return { ...probing('2', pods), rotation: { ...rotation, phase: 'Canary' } as never };
  };

  test('a canary reads the candidate, exactly', async () => {
    const live = await start(canary(['mcp-0']));
    await until(async () => (await carried(live)) === 'sk-2', 50);
    await until(() => use()?.version === '2', 50);
    expect(seen).toEqual([]);
  });

  test('the others read exactly the version in use, though a newer one is there', async () => {
    const live = await start(canary(['mcp-1']));
    await until(() => use()?.version === '1', 50);
    await clock.pass(120_000);
    expect(await carried(live)).toBe('sk-1');
  });

  test('when the version in use is refused the newest is tried, for there is nothing to lose', async () => {
    const live = await start(canary(['mcp-1']));
    expect(await carried(live)).toBe('sk-1');
    expect((await live.grantAfterRefusal('1')).version).toBe('3');
  });

  test('a rollback brings the old version back at once, and no TTL takes it away', async () => {
    const live = await start({
      version: '3',
      rotation: { phase: 'Complete', trigger: 'SourceChanged', startedAt: '2026-11-25T12:00:00Z' },
    });
    await until(async () => (await carried(live)) === 'sk-3', 50);
    announce({
      version: '2',
      exact: true,
      rotation: { phase: 'RolledBack', trigger: 'SourceChanged', candidate: '3', startedAt: '2026-11-25T12:00:00Z' },
    });
    await until(async () => (await carried(live)) === 'sk-2', 50);
    await clock.pass(120_000);
    expect(await carried(live)).toBe('sk-2');
  });
});

test('a pod that starts without the API server reads exactly what its snapshot says', async () => {
  api.away = 500;
  const live = await start({ version: '1' });
  expect(await carried(live)).toBe('sk-1');
});

test('calls with another version than the next call’s are told of until the last has ended', async () => {
  const live = await start({ version: '1', exact: true });
  await until(() => use()?.version === '1', 50);
  live.began('1');
  live.began('1');
  announce({ version: '2', exact: true });
  await until(() => use()?.version === '2', 50);
  expect(use()?.holds).toEqual(['1']);
  live.began('2');
  live.ended('1');
  await clock.pass(5000);
  expect(use()?.holds).toEqual(['1']);
  live.ended('1');
  await until(() => use()?.holds === undefined, 50);
});

test('a pod that uses the newest because its own was refused holds what it was told to read, until it is told of the newest', async () => {
  const live = await start({ version: '1', exact: true });
  await until(() => use()?.version === '1', 50);
  expect((await live.grantAfterRefusal('1')).version).toBe('3');
  await until(() => use()?.version === '3', 50);
  expect(use()?.holds).toEqual(['1']);
  const before = clock.now();
  announce({ version: '3', exact: true });
  await until(() => use()?.holds === undefined, 50);
  expect(use()?.version).toBe('3');
  expect(clock.now() - before).toBeLessThan(20_000);
});

test('who asks for what is new after the cause of a failure was mended does not wait for the next look', async () => {
  vault.fault = (request, response) => {
    if (request.method !== 'GET') return false;
    response.writeHead(403).end('{"errors":["permission denied"]}');
    return true;
  };
  await start({ version: '1', exact: true });
  await until(() => use()?.reason === 'SourceDenied', 50);
  await until(() => api.asked.some((line) => line.startsWith(`watch ${collection}`)), 1);
  vault.fault = () => false;
  const before = clock.now();
  api.set(collection, {
    metadata: { name: 'github', namespace: 'tools', annotations: { 'rekey.dev/refresh': '1' } },
    spec: spec(),
    status: { version: '1', exact: true },
  } as never);
  await until(() => use()?.version === '1', 50);
  expect(clock.now() - before).toBeLessThan(20_000);
});

test('an end that the upstream tells of is reported with the version, and not with the next', async () => {
  const live = await start({ version: '1', exact: true });
  await until(() => use()?.version === '1', 50);
  live.answered('1', ['Date', 'x', 'GitHub-Authentication-Token-Expiration', '2027-01-31 10:00:00 -0800']);
  await until(() => use()?.expiresAt === '2027-01-31T18:00:00.000Z', 50);
  announce({ version: '2', exact: true });
  await until(() => use()?.version === '2', 50);
  expect(use()).not.toHaveProperty('expiresAt');
});

test('all connections to upstreams share what they are verified with: 3 MB for each probe would end the sidecar', () => {
  const trusted = trustedBy(upstream.ca);
  expect(trusted()).toBe(trusted());
});
