import { sourceId } from './source-id.ts';
import type { StoreSpec } from './store.ts';

const auth = { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } };
const store: StoreSpec = { vault: { address: 'https://vault.example', mount: 'kv', auth }, pollIntervalSeconds: 10 };
const spec = { source: { vault: { path: 'mcp/github', key: 'token' } }, storeRef: { name: 'default' } };
const vault = (change: object): StoreSpec => ({ ...store, vault: { ...store.vault, ...change } as NonNullable<StoreSpec['vault']> });
const id = sourceId(spec, store);

test.each([
  ['the path', { ...spec, source: { vault: { path: 'mcp/other', key: 'token' } } }, store],
  ['the key', { ...spec, source: { vault: { path: 'mcp/github', key: 'other' } } }, store],
  ['the name of the store', { ...spec, storeRef: { name: 'other' } }, store],
  ['the address of the store', spec, vault({ address: 'https://other.example' })],
  ['the namespace of the store', spec, vault({ namespace: 'team' })],
  ['the version of the engine', spec, vault({ version: 'v1' })],
  ['the mount of the store', spec, vault({ mount: 'other' })],
])('%s makes it another source', (_what, ...changed) => {
  expect(sourceId(...changed)).not.toBe(id);
});

test.each([
  ['the order of fields', { storeRef: spec.storeRef, source: { vault: { key: 'token', path: 'mcp/github' } } }, store],
  ['a poll interval', spec, { ...store, pollIntervalSeconds: 20 }],
  ['who may use it', spec, { ...store, allowedNamespaces: { matchLabels: { a: 'b' } } }],
  ['how one logs in', spec, vault({ auth: { kubernetes: { ...auth.kubernetes, role: 'other' } } })],
  ['where one may be redirected to', spec, vault({ redirectHosts: ['vault-0.vault:8200'] })],
  ['whom one trusts', spec, vault({ caBundle: 'other' })],
])('%s does not', (_what, ...changed) => {
  expect(sourceId(...changed)).toBe(id);
});

test('a Kubernetes Secret has one without a store, whichever the credential names', () => {
  const secret = (name: string, storeName: string) =>
    sourceId({ source: { kubernetesSecret: { name, key: 'token' } }, storeRef: { name: storeName } }, undefined);
  expect(secret('github', 'default')).toBe(secret('github', 'other'));
  expect(secret('github', 'default')).not.toBe(secret('gitlab', 'default'));
});

test('the role that reads it does not make it another source', () => {
  const aws = (roleARN: string) => sourceId({ source: { awsSecretsManager: { secretId: 'a', roleARN } }, storeRef: spec.storeRef }, store);
  expect(aws('arn:aws:iam::123456789012:role/a')).toBe(aws('arn:aws:iam::123456789012:role/b'));
});

test('it is short, and no part of what it is made from', () => {
  expect(id).toMatch(/^[0-9a-f]{12}$/u);
});
