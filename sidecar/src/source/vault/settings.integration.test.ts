import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { VaultStore } from '@rekey/crds/store.ts';
import { blockOf } from '@rekey/lib/page.fixture.ts';
import type { FakeServer } from '../../upstream/https.fake.ts';
import { fakeServer } from '../../upstream/https.fake.ts';
import type { Source } from '../source.ts';
import { unused } from '../unused.fixture.ts';
import { vaultName } from './vault.fake.ts';
import { failureOf, readFrom } from './vault.fixture.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import type { RealVault } from '@rekey/lib/vault.real.ts';
import { jwtOf, publicKey } from './vault.real.ts';
import { vaultSource } from './vault.ts';

// What a store and a credential may set, against a real Vault with JWT auth.
let vault: RealVault;
let source: Source;
let tokens: number;

beforeAll(async () => {
  vault = await startVault();
  const call: RealVault['call'] = (...request) => vault.call(...request);
  await call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await call('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await call('POST', 'sys/auth/jwt', { type: 'jwt' });
  await call('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [publicKey] });
  await call('PUT', 'sys/policies/acl/mcp', { policy: blockOf('vault', 'sidecar-policy') });
  await call('PUT', 'sys/policies/acl/old', { policy: blockOf('vault', 'sidecar-policy-v1') });
  await call('PUT', 'sys/policies/acl/github', { policy: 'path "kv/data/team/github" { capabilities = ["read"] }' });
  for (const [name, token_ttl] of Object.entries({ mcp: '10m', old: '10m', github: '10m', rekey: '10m' })) await role(name, { token_ttl });
  await role('brief', { token_policies: ['mcp'], token_ttl: '1s' });
  await call('POST', 'kv/data/mcp/github', { data: { token: 'sk-1' } });
  await call('POST', 'kv/data/team/github', { data: { token: 'sk-team' } });
}, 60_000);
afterAll(() => vault.stop());

beforeEach(async () => {
  tokens = 0;
  await vault.call('POST', 'old/mcp/github', { token: 'sk-old' });
});
afterEach(() => source.close());

async function role(name: string, settings: object): Promise<void> {
  const bound = { role_type: 'jwt', bound_audiences: ['vault'], user_claim: 'sub', bound_subject: 'system:serviceaccount:tools:default' };
  await vault.call('POST', `auth/jwt/role/${name}`, { ...bound, token_policies: [name], token_type: 'batch', ...settings });
}

function open(settings: Partial<VaultStore> = {}, by = 'mcp', names: LookupFunction = lookup): void {
  const jwt = { mount: 'jwt', role: by, operatorRole: 'rekey-operator', audience: 'vault' };
  const store = { address: `https://localhost:${vault.port}`, caBundle: vault.caBundle, mount: 'kv', auth: { jwt }, ...settings };
  const token = (): Promise<string> => {
    tokens += 1;
    return Promise.resolve(jwtOf({}));
  };
  source = vaultSource({ name: 'default', store: { vault: store, pollIntervalSeconds: 10 }, lookup: names, token, ...unused });
}
const valueOf = async (version?: string, of: object = {}): Promise<string> => (await readFrom(source, version, of)).value.reveal();

test('JWT auth, without anybody who reviews the token', async () => {
  open();
  expect(await valueOf()).toBe('sk-1');
});

test('a credential with a role of its own reads what the role of the store may not', async () => {
  open();
  const team = { path: 'team/github' };
  expect((await failureOf(readFrom(source, undefined, team))).reason).toBe('SourceDenied');
  expect(await valueOf(undefined, { ...team, role: 'github' })).toBe('sk-team');
  expect((await failureOf(readFrom(source, undefined, { role: 'github' }))).reason).toBe('SourceDenied');
  expect(await valueOf()).toBe('sk-1');
});

test('a token that has ended is followed by another, for which the token of the pod is read again', async () => {
  open({}, 'brief');
  await valueOf();
  await pause(1500);
  expect(await valueOf()).toBe('sk-1');
  expect(tokens).toBe(2);
});

test('a Vault without namespaces, such as the community edition, takes no notice of one', async () => {
  open({ namespace: 'team' });
  expect(await valueOf()).toBe('sk-1');
});

describe('a KV version 1 engine, by the policy of the page', () => {
  beforeEach(() => open({ version: 'v1', mount: 'old' }, 'old'));

  test('a change is another version, and the old value is the old version, later', async () => {
    const first = await readFrom(source);
    await vault.call('POST', 'old/mcp/github', { token: 'sk-new' });
    const second = await readFrom(source);
    await vault.call('POST', 'old/mcp/github', { token: 'sk-old' });
    const third = await readFrom(source);
    expect([first, second, third].map(({ value }) => value.reveal())).toEqual(['sk-old', 'sk-new', 'sk-old']);
    expect(third.version).toBe(first.version);
    expect(second.version).not.toBe(first.version);
    expect(Number(third.createdAt)).toBeGreaterThan(Number(first.createdAt));
  });

  test('a pin is refused, and a secret that is gone is gone', async () => {
    expect((await failureOf(readFrom(source, '1'))).reason).toBe('VersionNotFound');
    await vault.call('DELETE', 'old/mcp/github');
    expect((await failureOf(readFrom(source))).reason).toBe('SecretNotFound');
  });

  test('the role of the other engine is refused', async () => {
    source.close();
    open({ version: 'v1', mount: 'old' }, 'mcp');
    expect((await failureOf(readFrom(source))).reason).toBe('SourceDenied');
  });

  test('taken for version 2, or the other way round, there is no value', async () => {
    source.close();
    open({ mount: 'old' }, 'old');
    expect((await failureOf(readFrom(source))).reason).toBe('SourceDenied');
    source.close();
    open({ version: 'v1' }, 'mcp');
    expect((await failureOf(readFrom(source))).reason).toBe('SourceDenied');
  });
});

describe('a standby that names the active node', () => {
  let standby: FakeServer;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    standby = await fakeServer(vaultName, (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(307, { location: `https://localhost:${vault.port}${request.url}` }).end();
    });
  });
  afterEach(() => standby.close());

  const openStandby = (redirectHosts: string[]): void => {
    const names: LookupFunction = (name, options, callback) => (name === vaultName ? standby.lookup : lookup)(name, options, callback);
    open({ address: `https://${vaultName}:${standby.port}`, caBundle: `${standby.ca}\n${vault.caBundle}`, redirectHosts }, 'mcp', names);
  };

  test('is followed, login and read, and a rotation arrives', async () => {
    openStandby([`localhost:${vault.port}`]);
    expect(await valueOf('1')).toBe('sk-1');
    expect(asked).toEqual(['POST /v1/auth/jwt/login', 'GET /v1/kv/data/mcp/github?version=1']);
  });

  test('is not followed where the store names another host', async () => {
    openStandby(['localhost:1']);
    expect((await failureOf(readFrom(source))).reason).toBe('SourceUnreachable');
  });
});
