import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { lookup } from 'node:dns';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading, Source } from '../source.ts';
import { keepsPromises } from '../promises.fixture.ts';
import type { Owner } from '../promises.fixture.ts';
import { unused } from '../unused.fixture.ts';
import { blockOf, writesIn } from '@rekey/lib/page.fixture.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import type { RealVault } from '@rekey/lib/vault.real.ts';
import { jwtOf, publicKey, signer } from './vault.real.ts';
import { vaultSource } from './vault.ts';

// In place of the kubernetes method, which asks a cluster, the jwt method is mounted: it takes the same login.
let vault: RealVault;
let port: number;
let ca: string;
let source: Source;
const call: RealVault['call'] = (...request) => vault.call(...request);

beforeAll(async () => {
  vault = await startVault();
  ({ port, caBundle: ca } = vault);
  await call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await call('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
  await call('POST', 'sys/policies/acl/mcp', { policy });
  await call('POST', 'sys/auth/kubernetes', { type: 'jwt' });
  await call('POST', 'auth/kubernetes/config', { jwt_validation_pubkeys: [publicKey] });
  const bound = { bound_audiences: ['vault'], user_claim: 'sub', bound_subject: 'system:serviceaccount:tools:default' };
  await call('POST', 'auth/kubernetes/role/mcp', { role_type: 'jwt', ...bound, token_policies: ['mcp'], token_ttl: '1h' });
}, 60_000);

afterAll(() => vault.stop());

beforeEach(async () => {
  await call('DELETE', 'kv/metadata/mcp/github');
  source = open();
});
afterEach(() => source.close());

const write = (token: unknown): Promise<unknown> => call('POST', 'kv/data/mcp/github', { data: { token } });
const read = (version?: string, vault: object = {}): Promise<Reading> =>
  source.read({ vault: { path: 'mcp/github', key: 'token', ...vault } }, version, new AbortController().signal);
const reasonOf = async (reading: Promise<Reading>): Promise<string> => {
  const error: unknown = await reading.catch((error: unknown) => error);
  return error instanceof Failure ? error.reason : 'no Failure';
};

test('the newest version, and each older one by its number', async () => {
  await write('sk-1');
  await write('sk-2');
  const newest = await read();
  expect([newest.value.reveal(), newest.version]).toEqual(['sk-2', '2']);
  const first = await read('1');
  expect([first.value.reveal(), first.version]).toEqual(['sk-1', '1']);
});

test('a rotation is there for the next read', async () => {
  await write('sk-1');
  for (let version = 1; version <= 20; version += 1) {
    expect((await read()).version).toBe(String(version));
    await write(`sk-${version + 1}`);
  }
});

test('what is not there has the reason why', async () => {
  expect(await reasonOf(read())).toBe('SecretNotFound');
  expect(await reasonOf(read('3'))).toBe('SecretNotFound');
  expect(await reasonOf(read(undefined, { mount: 'old' }))).toBe('SourceDenied');
  await write('sk-1');
  expect(await reasonOf(read('9'))).toBe('VersionNotFound');
  expect(await reasonOf(read('0'))).toBe('VersionNotFound');
  expect(await reasonOf(read(undefined, { key: 'other' }))).toBe('KeyNotFound');
  expect(await reasonOf(read(undefined, { path: 'other/github' }))).toBe('SourceDenied');
});

test('deleted, undeleted and destroyed', async () => {
  await write('sk-1');
  await write('sk-2');
  await call('DELETE', 'kv/data/mcp/github');
  expect(await reasonOf(read())).toBe('VersionDeleted');
  expect((await read('1')).version).toBe('1');
  await call('POST', 'kv/undelete/mcp/github', { versions: [2] });
  expect((await read()).version).toBe('2');
  await call('PUT', 'kv/destroy/mcp/github', { versions: [1] });
  expect(await reasonOf(read('1'))).toBe('VersionDestroyed');
});

test('values that cannot be used', async () => {
  const cases: [unknown, string][] = [
    ['', 'SecretValueEmpty'],
    [{ nested: true }, 'SecretValueNotString'],
    [8, 'SecretValueNotString'],
    [null, 'SecretValueNotString'],
    ['a\nb', 'SecretValueInvalid'],
    ['a'.repeat(16_385), 'SecretValueTooLarge'],
  ];
  for (const [value, reason] of cases) {
    await write(value);
    expect([value, await reasonOf(read())]).toEqual([value, reason]);
  }
});

describe('the identity', () => {
  test('a token that was revoked is replaced by one new login, without a failed read', async () => {
    await write('sk-1');
    await read();
    await call('POST', 'sys/leases/revoke-prefix/auth/kubernetes/login', {});
    expect((await read()).version).toBe('1');
  });

  const refused: Record<string, Parameters<typeof open>[0]> = {
    'a role that does not exist': { role: 'nobody' },
    'an auth method that does not exist': { mount: 'elsewhere' },
    'a token for another audience': { claims: { aud: 'https://kubernetes.default.svc' } },
    'a token of another pod': { claims: { sub: 'system:serviceaccount:other:default' } },
    'a token that has ended': { claims: { exp: 1 } },
    'a token of another issuer': { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
  };
  test.each(Object.entries(refused))('%s is SourceDenied', async (_name, over) => {
    await write('sk-1');
    source.close();
    source = open(over);
    expect(await reasonOf(read())).toBe('SourceDenied');
  });
});

const policy = 'path "kv/data/mcp/*" { capabilities = ["read"] }';

describe('a credential of Vault', () => {
  let versions = 0;
  keepsPromises((): Promise<Owner> =>
    Promise.resolve({
      source: { vault: { path: 'mcp/github', key: 'token' } },
      store: storeAt,
      port,
      lookup,
      token: () => Promise.resolve(jwtOf({})),
      write: async (value) => {
        await write(value);
        versions += 1;
        return String(versions);
      },
      missing: '99',
      mend: async () => {
        versions = 0;
        await call('POST', 'sys/policies/acl/mcp', { policy });
        await call('DELETE', 'kv/metadata/mcp/github');
      },
      spoils: {
        'the version is deleted': { spoil: () => call('DELETE', 'kv/data/mcp/github'), reason: 'VersionDeleted' },
        'the version is destroyed': { spoil: () => call('PUT', 'kv/destroy/mcp/github', { versions: [1] }), reason: 'VersionDestroyed' },
        'the secret is gone': { spoil: () => call('DELETE', 'kv/metadata/mcp/github'), reason: 'SecretNotFound' },
        'the policy allows it no more': {
          spoil: () => call('POST', 'sys/policies/acl/mcp', { policy: 'path "nothing" { capabilities = ["read"] }' }),
          reason: 'SourceDenied',
        },
      },
    }),
  );
});

describe('what the page tells people to write, with JWT auth', () => {
  beforeAll(async () => {
    for (const name of ['sidecar', 'operator'])
      await call('PUT', `sys/policies/acl/${policyOf[name]}`, { policy: blockOf('vault', `${name}-policy`) });
    await call('POST', 'sys/auth/jwt', { type: 'jwt' });
    await call('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [publicKey] });
    for (const { path, fields } of writesIn(blockOf('vault', 'jwt-roles'))) await call('POST', path, fields);
    await write('sk-page');
  });
  const policyOf: Record<string, string> = { sidecar: 'mcp', operator: 'rekey-operator' };
  const operator = { sub: 'system:serviceaccount:rekey-system:rekey-operator' };
  const as = (claims: object, role = 'mcp'): Source => {
    const auth = { jwt: { mount: 'jwt', role, operatorRole: 'rekey-operator', audience: 'vault' } };
    const store = { vault: { address: `https://localhost:${port}`, caBundle: ca, mount: 'kv', auth }, pollIntervalSeconds: 10 };
    return vaultSource({ name: 'default', store, lookup, token: () => Promise.resolve(jwtOf(claims)), ...unused });
  };
  const readAs = async (...identity: Parameters<typeof as>): Promise<string> => {
    source.close();
    source = as(...identity);
    const outcome = await read().catch((error: unknown) => (error instanceof Failure ? error.reason : 'no Failure'));
    return typeof outcome === 'string' ? outcome : outcome.value.reveal();
  };
  beforeEach(() => write('sk-page'));

  test('the token of a sidecar of the namespace reads the value', async () => {
    expect(await readAs({ sub: 'system:serviceaccount:tools:any' })).toBe('sk-page');
  });

  test.each([
    ["the app container's own token, for the API server", { aud: 'https://kubernetes.default.svc' }, 'mcp'],
    ['a token of another namespace', { sub: 'system:serviceaccount:other:default' }, 'mcp'],
    ["the operator's token", operator, 'mcp'],
    ["a pod's token, with the role of the operator", {}, 'rekey-operator'],
    ["the operator's token, with its own role", operator, 'rekey-operator'],
  ])('%s is refused the value', async (_name, claims, role) => {
    expect(await readAs(claims, role)).toBe('SourceDenied');
  });
});

// The last one: it leaves the vault sealed.
test('sealed is said to be sealed', async () => {
  await write('sk-1');
  await read();
  await call('PUT', 'sys/seal', {});
  expect(await reasonOf(read())).toBe('SourceSealed');
});

function open(over: { role?: string; mount?: string; claims?: object; key?: KeyObject } = {}): Source {
  const { role = 'mcp', mount = 'kubernetes', claims = {}, key = signer.privateKey } = over;
  const auth = { kubernetes: { mount, role, operatorRole: 'rekey-operator', audience: 'vault' } };
  const store = storeAt(port, auth);
  return vaultSource({ name: 'default', store, lookup, token: () => Promise.resolve(jwtOf(claims, key)), ...unused });
}

const usualAuth = { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } };

function storeAt(at: number, auth = usualAuth): StoreSpec {
  return { vault: { address: `https://localhost:${at}`, caBundle: ca, mount: 'kv', auth }, pollIntervalSeconds: 10 };
}
