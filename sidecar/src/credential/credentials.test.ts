import type { CredentialSpec } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { FakeApiServer } from '../api-server.fake.ts';
import { fakeApiServer } from '../api-server.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import { fakeClock } from '../clock.fake.ts';
import type { Grant, LiveCredential } from './credential.ts';
import type { LiveCredentials } from './credentials.ts';
import { startCredentials } from './credentials.ts';
import type { FakeVault } from '../source/vault/vault.fake.ts';
import { fakeVault, vaultName } from '../source/vault/vault.fake.ts';
import { trustedBy } from '../tls/trust.ts';

const credentials = '/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentials';
const stores = '/apis/rekey.dev/v1alpha1/mcpcredentialstores';

let api: FakeApiServer;
let vault: FakeVault;
let clock: FakeClock;
let running: LiveCredentials;
let reads: string[];
/** Seconds, of each of them. */
let took: number[];

beforeEach(async () => {
  api = await fakeApiServer();
  vault = await fakeVault();
  clock = fakeClock();
  reads = [];
  took = [];
  secret('1');
});
afterEach(async () => {
  await running.stop();
  await api.close();
  await vault.server.close();
});

const spec = (over: Partial<CredentialSpec> = {}): CredentialSpec => ({
  source: { vault: { path: 'mcp/github', key: 'token' } },
  storeRef: { name: 'default' },
  version: '',
  hosts: ['api.github.com'],
  inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
  refused: [{ status: 401 }],
  env: [{ name: 'TOKEN' }],
  podSelector: { matchLabels: { app: 'mcp' } },
  cacheTTLSeconds: 60,
  maxStaleSeconds: 300,
  suspend: false,
  ...over,
});
const store = (over: object = {}): StoreSpec => {
  const auth = { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } };
  return { vault: { address: vault.address, caBundle: vault.server.ca, mount: 'kv', auth, ...over }, pollIntervalSeconds: 10 };
};
const setCredential = (over: Partial<CredentialSpec> = {}, version?: string, name = 'github', source?: string): void =>
  api.set(credentials, { metadata: { name, namespace: 'tools' }, spec: spec(over), status: { version, source } } as never);
const setStore = (of: object = store(), name = 'default'): void => api.set(stores, { metadata: { name }, spec: of } as never);
/** The vault holds versions up to this one, each with the value `sk-N`. */
function secret(newest: string, path = 'mcp/github'): void {
  const versions = Array.from({ length: Number(newest) }, (_none, index) => ({
    data: { token: `sk-${index + 1}`, other: `ot-${index + 1}` },
  }));
  vault.secrets.set(path, versions);
}

/** Starts with one credential in the snapshot, and the API server as the test has set it up. */
function start(over: Partial<CredentialSpec> = {}, version?: string, names: string[] = ['github']): LiveCredential {
  const entries = names.map((name) => ({ name, ...(version === undefined ? {} : { version }), spec: spec(over) }));
  running = startCredentials({
    config: {
      namespace: 'tools',
      pod: 'mcp-0',
      podUID: 'uid-1',
      serviceAccount: 'default',
      extraCA: undefined,
      logLevel: 'info',
      auditOTLP: undefined,
      kubernetes: { host: 'localhost', port: api.server.port },
      identity: api.identity,
      secrets: api.identity,
      snapshot: { credentials: entries, stores: [{ name: 'default', spec: store() }] },
    },
    log: () => undefined,
    lookup: vault.server.lookup,
    trusted: trustedBy(undefined),
    onRead: (credential, outcome, seconds) => {
      reads.push(`${credential} ${outcome}`);
      took.push(seconds);
    },
    clock,
    random: () => 0,
  });
  const [first] = running.list();
  if (first === undefined) throw new Error('no credential');
  return first;
}

/** The same as it is in a running cluster: everything in the API, watched, and the value read. */
async function startWhole(over: Partial<CredentialSpec> = {}, version?: string): Promise<LiveCredential> {
  setCredential(over, version);
  setStore();
  const live = start(over, version);
  await until(() => watched() === 2 && reads.length >= 1);
  return live;
}

const watched = (): number => api.asked.filter((line) => line.startsWith('watch')).length;
const text = ({ value, version, cache }: Grant): string => `${value.reveal()} ${version} ${cache}`;
const get = async (live: LiveCredential): Promise<string> => text(await live.grant());
async function reasonNow(live: LiveCredential): Promise<string> {
  try {
    return await get(live);
  } catch (error) {
    return error instanceof Failure ? error.reason : String(error);
  }
}
/** Lets real I/O go on, and now and then a little of the clock's time, until the condition holds. */
async function until(condition: () => boolean | Promise<boolean>, step = 1): Promise<void> {
  while (!(await condition())) {
    await clock.pass(step);
    await new Promise((resolve) => {
      setTimeout(resolve, 2);
    });
  }
}
const status = (): Record<string, string> => api.patches.at(-1)?.body.status.credentials[0] ?? {};

describe('without the API server', () => {
  test('the snapshot is enough, at once and for any time', async () => {
    api.away = 500;
    const live = start({}, '1');
    expect(await get(live)).toBe('sk-1 1 miss');
    await until(() => api.tokens.length > 3);
    secret('2');
    await clock.pass(60_000);
    await until(async () => (await get(live)) === 'sk-2 2 hit', 1000);
  });

  test.each([403, 404, 500])('its %i is no deletion', async (code) => {
    const live = await startWhole();
    api.away = code;
    const before = api.tokens.length;
    api.hangUp();
    await until(() => api.tokens.length >= before + 4);
    expect(await get(live)).toMatch(/^sk-1 1/u);
    expect(live.spec()).toBeDefined();
  });
});

describe('at the start', () => {
  test('the source is read once in the background, so that the binding tells how it went', async () => {
    await startWhole();
    await until(() => status().version === '1');
    expect(reads).toEqual(['github ok']);
    expect(api.patches.at(-1)?.path).toBe('/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentialbindings/mcp-0/status');
  });

  test('a role that is missing shows in the binding without a call', async () => {
    vault.fault = (request, response) => {
      if (request.method !== 'POST') return false;
      response.writeHead(400).end('{"errors":["invalid role name"]}');
      return true;
    };
    await startWhole();
    await until(() => status().reason === 'SourceDenied');
    expect(status().message).toContain('role mcp');
    expect(reads).toEqual(['github SourceDenied']);
  });

  test('how long a read took is known, with all that it asked twice for', async () => {
    let answer = (): void => undefined;
    vault.fault = (request, response) => {
      if (request.method === 'POST') return false;
      answer = () => void response.writeHead(500).end('{"errors":[]}');
      return true;
    };
    setCredential({}, '1');
    setStore();
    start({}, '1');
    await until(() => vault.reads.length === 1);
    await clock.pass(700);
    vault.fault = () => false;
    answer();
    await until(() => reads.length === 1);
    expect(reads).toEqual(['github ok']);
    expect(took[0]).toBeGreaterThanOrEqual(0.7);
  });

  test('each credential and each store is watched by its name, and they share one login', async () => {
    setCredential({}, '1', 'github');
    setCredential({}, '1', 'slack');
    setStore();
    start({}, '1', ['github', 'slack']);
    await until(() => watched() >= 3 && reads.length === 2);
    expect(new Set(api.asked.filter((line) => line.startsWith('watch')))).toEqual(
      new Set([`watch ${credentials} github`, `watch ${credentials} slack`, `watch ${stores} default`]),
    );
    expect(running.list().map(({ name }) => name)).toEqual(['github', 'slack']);
    expect(vault.logins).toEqual([{ role: 'mcp', jwt: 'jwt-1' }]);
  });
});

describe('the resource', () => {
  test('as the API server has it supersedes the snapshot', async () => {
    setCredential({ source: { vault: { path: 'mcp/github', key: 'other' } } });
    setStore();
    const live = start();
    await until(async () => (await reasonNow(live)).startsWith('ot-1'));
    expect(live.spec()?.source.vault?.key).toBe('other');
  });

  test.each<[string, Partial<CredentialSpec>, string]>([
    ['key', { source: { vault: { path: 'mcp/github', key: 'other' } } }, 'ot-1'],
    ['path', { source: { vault: { path: 'mcp/second', key: 'token' } } }, 'sk-3'],
  ])('another %s: the value of the old one is not used again', async (_name, over, value) => {
    secret('3', 'mcp/second');
    const live = await startWhole();
    let changes = 0;
    running.onChange(() => {
      changes += 1;
    });
    expect(await get(live)).toMatch(/^sk-1 1/u);
    setCredential(over);
    await until(() => changes === 1);
    expect(await get(live)).toMatch(new RegExp(`^${value} `, 'u'));
  });

  test('a change of its status alone is no change of the rules', async () => {
    await startWhole();
    let changes = 0;
    running.onChange(() => {
      changes += 1;
    });
    secret('2');
    setCredential({}, '2');
    await until(() => status().version === '2');
    expect(changes).toBe(0);
  });

  test('deleted: the value is dropped, and the calls are told; made again, it works again', async () => {
    const live = await startWhole();
    expect(await get(live)).toMatch(/^sk-1/u);
    api.remove(credentials, 'github');
    await until(() => live.spec() === undefined);
    expect(await reasonNow(live)).toBe('CredentialDeleted');
    await expect(live.grantAfterRefusal('1')).rejects.toMatchObject({ reason: 'CredentialDeleted' });
    await until(() => status().reason === 'CredentialDeleted');
    setCredential();
    await until(() => live.spec() !== undefined);
    expect(await get(live)).toMatch(/^sk-1 1/u);
  });

  test('deleted before the sidecar started, or while its watch was down', async () => {
    setStore();
    const live = start();
    await until(async () => (await reasonNow(live)) === 'CredentialDeleted');
    setCredential();
    await until(async () => (await reasonNow(live)).startsWith('sk-1'));
    api.away = 500;
    api.hangUp();
    await until(() => watched() === 2 && api.tokens.length > 5);
    api.remove(credentials, 'github');
    expect(live.spec()).toBeDefined();
    api.away = undefined;
    await until(async () => (await reasonNow(live)) === 'CredentialDeleted');
    expect(live.spec()).toBeUndefined();
  });

  test('suspended: the value is dropped at once; resumed, the next call reads', async () => {
    const live = await startWhole();
    setCredential({ suspend: true });
    await until(async () => (await reasonNow(live)) === 'Suspended');
    await until(() => status().reason === 'Suspended');
    const before = reads.length;
    await clock.pass(120_000);
    expect(reads).toHaveLength(before);
    setCredential({ suspend: false });
    await until(() => live.spec()?.suspend === false);
    expect(await get(live)).toMatch(/^sk-1 1/u);
    expect(reads).toHaveLength(before + 1);
    await until(() => status().reason === undefined);
  });

  test('how old the value in memory is, is known as long as there is one', async () => {
    const live = await startWhole();
    const age = live.age() ?? Number.NaN;
    await clock.pass(5000);
    expect(live.age()).toBeCloseTo(age + 5);
    setCredential({ suspend: true });
    await until(() => live.age() === undefined);
  });

  test('a shorter TTL counts at once', async () => {
    const live = await startWhole();
    expect(await get(live)).toBe('sk-1 1 hit');
    secret('2');
    setCredential({ cacheTTLSeconds: 1 });
    await until(() => live.spec()?.cacheTTLSeconds === 1);
    await clock.pass(1000);
    expect(await get(live)).toMatch(/^sk-2 2/u);
  });

  test('one that cannot be understood is left aside', async () => {
    const live = await startWhole();
    api.set(credentials, { metadata: { name: 'github', namespace: 'tools' }, spec: { hosts: [] } } as never);
    setCredential({ cacheTTLSeconds: 5 });
    await until(() => live.spec()?.cacheTTLSeconds === 5);
    expect(await get(live)).toMatch(/^sk-1/u);
  });
});

describe('the store', () => {
  test('gone: StoreNotFound; back: works', async () => {
    const live = await startWhole();
    api.remove(stores, 'default');
    await until(async () => (await reasonNow(live)) === 'StoreNotFound');
    await until(() => status().reason === 'StoreNotFound', 50);
    setStore();
    await until(async () => (await reasonNow(live)).startsWith('sk-1'));
    expect(reads).toEqual(['github ok', 'github ok']);
  });

  test('another address: the value of the old one is not used again', async () => {
    const live = await startWhole();
    expect(await get(live)).toMatch(/^sk-1/u);
    const second = await fakeVault();
    second.secrets.set('mcp/github', [{ data: { token: 'second' } }]);
    setStore(store({ address: `https://${vaultName}:${second.server.port}`, caBundle: second.server.ca }));
    await until(async () => (await reasonNow(live)).startsWith('second'));
    expect(second.logins).toHaveLength(1);
    await second.server.close();
  });

  test('a change of how often it is polled costs no read and no login', async () => {
    const live = await startWhole();
    expect(await get(live)).toBe('sk-1 1 hit');
    setStore({ ...store(), pollIntervalSeconds: 60 });
    setStore({ ...store(), pollIntervalSeconds: 61 });
    setCredential({ cacheTTLSeconds: 30 });
    await until(() => live.spec()?.cacheTTLSeconds === 30);
    expect(await get(live)).toBe('sk-1 1 hit');
    expect([reads.length, vault.logins.length]).toEqual([1, 1]);
  });

  test('one that the snapshot does not have is watched once a credential names it', async () => {
    const live = await startWhole();
    setCredential({ storeRef: { name: 'second' } });
    await until(async () => (await reasonNow(live)) === 'StoreNotFound');
    setStore(store(), 'second');
    await until(async () => (await reasonNow(live)) === 'SourceDenied');
    await expect((async () => live.grant())()).rejects.toThrow('the pod has no token of its own for store second');
  });
});

describe('the version', () => {
  test('that the operator announces is read at once, by an idle credential too', async () => {
    const live = await startWhole({}, '1');
    secret('2');
    setCredential({}, '2');
    await until(() => reads.length === 2);
    expect(await get(live)).toBe('sk-2 2 hit');
    await until(() => status().version === '2');
  });

  test('that is pinned is read exactly, once the operator has taken it over', async () => {
    secret('3');
    const live = await startWhole({}, '3');
    expect(await get(live)).toBe('sk-3 3 hit');
    setCredential({ version: '2' }, '3');
    await until(() => live.spec()?.version === '2');
    expect(await get(live)).toBe('sk-3 3 hit');
    setCredential({ version: '2' }, '2');
    await until(() => reads.length === 2);
    expect(await get(live)).toBe('sk-2 2 hit');
    expect(vault.reads.at(-1)?.path).toBe('/v1/kv/data/mcp/github?version=2');
  });

  test('that is pinned but not taken over yet is not read', async () => {
    secret('3');
    const live = await startWhole({ version: '2' }, '3');
    expect(await get(live)).toBe('sk-3 3 hit');
    expect(vault.reads.at(-1)?.path).toBe('/v1/kv/data/mcp/github?version=3');
  });

  test.each(['9', '2', '1'])('a pin to %s, which is missing, deleted or destroyed, loses nothing', async (pin) => {
    secret('3');
    Object.assign(vault.secrets.get('mcp/github')?.[1] ?? {}, { state: 'deleted' });
    Object.assign(vault.secrets.get('mcp/github')?.[0] ?? {}, { state: 'destroyed' });
    const live = await startWhole({}, '3');
    expect(await get(live)).toBe('sk-3 3 hit');
    setCredential({ version: pin }, '3');
    await until(() => live.spec()?.version === pin);
    const before = reads.length;
    await clock.pass(60_000);
    await until(async () => (await get(live)).startsWith('sk-3 3'));
    expect(reads.slice(before)).toEqual(['github ok']);
    expect(vault.reads.at(-1)?.path).toBe('/v1/kv/data/mcp/github?version=3');
  });

  test('of another source is not taken for one of this: the pin is read until the operator has seen it there', async () => {
    secret('3');
    secret('3', 'mcp/second');
    const live = await startWhole({}, '3');
    await until(() => status().version === '3', 50);
    const source = { vault: { path: 'mcp/second', key: 'other' } };
    setCredential({ source, version: '1' }, '3', 'github', status().source);
    await until(() => live.spec()?.version === '1');
    expect(await get(live)).toMatch(/^ot-1 1/u);
    expect(vault.reads.at(-1)?.path).toBe('/v1/kv/data/mcp/second?version=1');
  });

  test('a pin that is taken off leads back to the newest', async () => {
    secret('3');
    const live = await startWhole({ version: '2' }, '2');
    expect(await get(live)).toBe('sk-2 2 hit');
    setCredential({ version: '' }, '3');
    await until(() => reads.length === 2);
    expect(await get(live)).toBe('sk-3 3 hit');
  });

  test('a pinned version that is refused gives way to the newest', async () => {
    secret('3');
    const live = await startWhole({ version: '2' }, '2');
    expect(text(await live.grantAfterRefusal('2'))).toBe('sk-3 3 miss');
  });

  test('a rotation without a push: one read after the refusal', async () => {
    const live = await startWhole();
    secret('2');
    const grants = await Promise.all(Array.from({ length: 1000 }, () => live.grantAfterRefusal('1')));
    expect(new Set(grants.map(text))).toEqual(new Set(['sk-2 2 miss']));
    expect(reads).toHaveLength(2);
  });
});

describe('a source without versions', () => {
  const path = 'mcp/github';
  /** In the vault's KV version 1 engine, in the snapshot and in the API. */
  async function startUnversioned(): Promise<LiveCredential> {
    setStore(store({ version: 'v1', mount: 'old' }));
    setCredential();
    const live = start();
    await until(async () => (await reasonNow(live)).startsWith('sk-old'));
    return live;
  }
  const ask = (refresh: string): void =>
    api.set(credentials, { metadata: { name: 'github', annotations: { 'rekey.dev/refresh': refresh } }, spec: spec() } as never);

  test('is read at once by every pod when a pod has found something new and the operator says so', async () => {
    const live = await startUnversioned();
    await until(() => status().createdAt !== undefined, 50);
    const before = reads.length;
    vault.unversioned.set(path, { token: 'sk-new' });
    setCredential({}, 'ffffffffffff');
    await until(() => reads.length > before);
    expect(await get(live)).toMatch(/^sk-new [0-9a-f]{12} hit$/u);
  });

  test('is read at once when somebody asks for what is new', async () => {
    const live = await startUnversioned();
    vault.unversioned.set(path, { token: 'sk-new' });
    ask('1');
    await until(async () => (await get(live)).startsWith('sk-new'));
    const { length } = reads;
    ask('1');
    await clock.pass(1000);
    expect(reads).toHaveLength(length);
  });

  test('one with versions is not: the operator looks and tells', async () => {
    await startWhole();
    ask('1');
    await clock.pass(1000);
    setCredential({ cacheTTLSeconds: 5 });
    await until(() => running.list()[0]?.spec()?.cacheTTLSeconds === 5);
    expect(reads).toHaveLength(1);
  });
});

describe('the binding', () => {
  test('tells which version the upstream accepts, and which it refuses', async () => {
    const live = await startWhole();
    live.report('1', true);
    await until(() => status().acceptedVersion === '1', 50);
    live.report('1', false);
    await until(() => status().reason === 'CredentialRefused', 50);
    expect(api.patches.at(-1)?.body.status.summary).toBe('github@1 (CredentialRefused)');
    secret('2');
    setCredential({}, '2');
    await until(() => status().version === '2', 50);
    expect(status().reason).toBeUndefined();
    const before = api.patches.length;
    for (let call = 0; call < 1000; call += 1) live.report('2', true);
    await until(() => status().acceptedVersion === '2', 50);
    expect(api.patches).toHaveLength(before + 1);
  });

  test('of another source tells that it is, and nothing of what the upstream accepted before', async () => {
    const live = await startWhole();
    live.report('1', true);
    await until(() => status().acceptedVersion === '1', 50);
    const { source } = status();
    expect(source).toMatch(/^[0-9a-f]{12}$/u);
    secret('1', 'mcp/other');
    setCredential({ source: { vault: { path: 'mcp/other', key: 'token' } } }, '1');
    await until(() => status().version === '1' && status().source !== source, 50);
    expect(status().acceptedVersion).toBeUndefined();
  });

  test('is written again when the operator counts a pod that does not say its version', async () => {
    const live = await startWhole();
    await until(() => status().version === '1', 50);
    await clock.pass(60_000);
    await until(async () => (await get(live)) === 'sk-1 1 hit');
    const before = api.patches.length;
    const counted = (current: number): void =>
      api.set(credentials, {
        metadata: { name: 'github', namespace: 'tools' },
        spec: spec(),
        status: { pods: { bound: 2, current } },
      } as never);
    counted(2);
    await clock.pass(60_000);
    expect(api.patches).toHaveLength(before);
    counted(1);
    await until(() => api.patches.length === before + 1, 50);
    expect(status().version).toBe('1');
  });

  test('of a credential that was suspended and resumed tells what it told before', async () => {
    const live = await startWhole();
    live.report('1', true);
    await until(() => status().acceptedVersion === '1', 50);
    setCredential({ suspend: true });
    await until(() => status().reason === 'Suspended', 50);
    setCredential();
    await until(() => status().version === '1' && status().reason === undefined, 50);
    expect(status().acceptedVersion).toBe('1');
  });

  test('holds no value, token or word of the vault', async () => {
    const live = await startWhole();
    live.report('1', true);
    vault.secrets.clear();
    await get(live);
    await clock.pass(60_000);
    await until(() => status().reason === 'SecretNotFound', 50);
    expect(JSON.stringify(api.patches)).not.toMatch(/sk-1|jwt-1|hvs\./u);
  });
});

test('stop ends all watches and connections, and drops the values', async () => {
  const live = await startWhole();
  await running.stop();
  expect(await reasonNow(live)).toBe('SourceUnreachable');
  await clock.pass(60_000);
  expect(clock.pending()).toBe(0);
  const { length } = api.tokens;
  await new Promise(setImmediate);
  expect(api.tokens).toHaveLength(length);
});
