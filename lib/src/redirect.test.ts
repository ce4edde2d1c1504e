import { redirectOf } from './redirect.ts';

const hosts = ['vault-0.vault:8200', 'vault.example', 'other.example:443'];

test.each([
  ['https://vault-0.vault:8200/v1/kv/data/a?version=1'],
  ['https://vault.example/v1/kv/data/a'],
  ['https://vault.example:443/v1/kv/data/a'],
  ['https://other.example/v1/kv/data/a'],
  ['https://VAULT.example/v1/kv/data/a'],
])('a 307 to %s is followed', (location) => {
  expect(redirectOf(307, location, hosts)?.href).toBe(new URL(location).href);
});

const left: Record<string, [number | undefined, string | undefined]> = {
  'another status': [302, 'https://vault.example/v1/kv/data/a'],
  'a 308': [308, 'https://vault.example/v1/kv/data/a'],
  'no status': [undefined, 'https://vault.example/v1/kv/data/a'],
  'no location': [307, undefined],
  'a path alone': [307, '/v1/kv/data/a'],
  'another host': [307, 'https://evil.example/v1/kv/data/a'],
  'a host that only ends like it': [307, 'https://evil.vault.example/'],
  'a host that only begins like it': [307, 'https://vault.example.evil/'],
  'the host as a user of another': [307, 'https://vault.example@evil.example/'],
  'a user': [307, 'https://user@vault.example/'],
  'another port': [307, 'https://vault.example:8200/'],
  'no port where one is named': [307, 'https://vault-0.vault/'],
  'in clear': [307, 'http://vault.example/'],
  'in clear at the port of TLS': [307, 'http://vault.example:443/'],
  'no URL': [307, 'https://'],
};
test.each(Object.entries(left))('%s: left where it is', (_name, [status, location]) => {
  expect(redirectOf(status, location, hosts)).toBeUndefined();
});

test('without hosts nothing is followed', () => {
  expect(redirectOf(307, 'https://vault.example/', [])).toBeUndefined();
});
