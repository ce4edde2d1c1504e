import { createSign, generateKeyPairSync } from 'node:crypto';
import { systemClock } from '../clock.ts';
import { openMetadataSource } from './poll.ts';
import type { MetadataSource } from './poll.ts';
import { storeAt } from './vault.fake.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import type { RealVault } from '@rekey/lib/vault.real.ts';
import { trustTokens } from './vault.real.ts';

const keys = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const subject = 'system:serviceaccount:rekey:rekey-operator';
const policy = 'path "kv/metadata/mcp/*" { capabilities = ["read"] }';
const canary = 'canary-value-of-the-secret';

let vault: RealVault;
let source: MetadataSource;

/** As the API server signs one for a service account. */
function tokenFor(audience: string): Promise<string> {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(Date.now() / 1000);
  const claims = { sub: subject, aud: [audience], iat: seconds, nbf: seconds, exp: seconds + 600, iss: 'kubernetes' };
  const text = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return Promise.resolve(`${text}.${createSign('RSA-SHA256').update(text).sign(keys.privateKey, 'base64url')}`);
}

const open = (audience = 'vault'): MetadataSource =>
  openMetadataSource({
    store: storeAt(vault.address, vault.caBundle),
    token: () => tokenFor(audience),
    identity: 'rekey/rekey-operator',
    clock: systemClock,
    random: Math.random,
  });

const at = (path: string) => ({ vault: { path, key: 'token' } });
const put = (path: string): Promise<unknown> => vault.call('POST', `kv/data/${path}`, { data: { token: canary } });

beforeAll(async () => {
  vault = await startVault();
  await vault.call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await trustTokens(vault, keys.publicKey, { name: 'rekey-operator', subject, policy });
  source = open();
}, 120_000);

afterAll(async () => {
  source.close();
  await vault.stop();
});

test('the newest version follows what is written', async () => {
  await put('mcp/github');
  expect(await source.versions(at('mcp/github'))).toEqual({ current: '1', states: { 1: 'Live' } });
  await put('mcp/github');
  expect(await source.versions(at('mcp/github'))).toEqual({ current: '2', states: { 1: 'Live', 2: 'Live' } });
});

test('deleted, undeleted and destroyed versions are told apart', async () => {
  for (const _version of [1, 2, 3]) await put('mcp/states');
  await vault.call('POST', 'kv/delete/mcp/states', { versions: [2] });
  await vault.call('PUT', 'kv/destroy/mcp/states', { versions: [3] });
  expect(await source.versions(at('mcp/states'))).toEqual({ current: '3', states: { 1: 'Live', 2: 'Deleted', 3: 'Destroyed' } });
  await vault.call('POST', 'kv/undelete/mcp/states', { versions: [2] });
  expect(await source.versions(at('mcp/states'))).toMatchObject({ states: { 2: 'Live' } });
});

test('a secret that was never written, or removed with its metadata, is not found', async () => {
  await expect(source.versions(at('mcp/never'))).rejects.toMatchObject({ reason: 'SecretNotFound' });
  await put('mcp/gone');
  await vault.call('DELETE', 'kv/metadata/mcp/gone');
  await expect(source.versions(at('mcp/gone'))).rejects.toMatchObject({ reason: 'SecretNotFound' });
});

test('a path outside of the policy is refused', async () => {
  await put('other/secret');
  await expect(source.versions(at('other/secret'))).rejects.toMatchObject({ reason: 'SourceDenied' });
});

test('a token for another audience is refused', async () => {
  const other = open('elsewhere');
  await expect(other.check()).rejects.toMatchObject({ reason: 'SourceDenied' });
  other.close();
});

test('the operator’s own identity is refused the value', async () => {
  await put('mcp/github');
  const jwt = await tokenFor('vault');
  const login = await vault.raw('POST', 'auth/kubernetes/login', { body: { role: 'rekey-operator', jwt } });
  const token = (login.body as { auth: { client_token: string } }).auth.client_token;
  const metadata = await vault.raw('GET', 'kv/metadata/mcp/github', { token });
  const value = await vault.raw('GET', 'kv/data/mcp/github', { token });
  expect([metadata.status, value.status]).toEqual([200, 403]);
  expect(JSON.stringify([metadata.body, value.body])).not.toContain(canary);
});

// Last: it takes the vault away.
test('a sealed vault says that it is sealed', async () => {
  await vault.call('PUT', 'sys/seal');
  await expect(source.versions(at('mcp/github'))).rejects.toMatchObject({ reason: 'SourceSealed' });
});
