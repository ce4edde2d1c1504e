import type { VaultStore } from '@rekey/crds/store.ts';
import type { Reading, Source } from '../source.ts';
import type { FakeVault } from './vault.fake.ts';
import { fakeVault } from './vault.fake.ts';
import { failureOf, openOn, readFrom } from './vault.fixture.ts';

let vault: FakeVault;
let source: Source;

beforeEach(async () => {
  vault = await fakeVault();
  source = openOn(vault);
});
afterEach(async () => {
  source.close();
  await vault.server.close();
});

const read = (version?: string, of: object = {}): Promise<Reading> => readFrom(source, version, of);

/** From now on with other settings of the store. */
function reopen(settings: Partial<VaultStore>): void {
  source.close();
  source = openOn(vault, settings);
}

test('JWT auth logs in at its own mount with the same request', async () => {
  reopen({ auth: { jwt: { mount: 'jwt', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } } });
  expect((await read()).version).toBe('1');
  expect(vault.logins).toEqual([{ role: 'mcp', jwt: 'jwt-1' }]);
});

test('a namespace goes with each request, logins included; without one there is no such header, whatever the environment says', async () => {
  process.env['VAULT_NAMESPACE'] = 'of-the-environment';
  try {
    reopen({ namespace: 'team/mcp' });
    await read();
    reopen({});
    await read();
  } finally {
    delete process.env['VAULT_NAMESPACE'];
  }
  expect(vault.namespaces).toEqual(['team/mcp', 'team/mcp', undefined, undefined]);
});

test('a credential with a role of its own reads with a token of its own', async () => {
  vault.roles.add('github');
  const own = { role: 'github' };
  await read();
  await read(undefined, own);
  await read(undefined, own);
  await read();
  expect(vault.logins.map(({ role }) => role)).toEqual(['mcp', 'github']);
  expect(vault.reads.map(({ token }) => token)).toEqual(['hvs.token-1', 'hvs.token-2', 'hvs.token-2', 'hvs.token-1']);
});

test('a role of a credential that may not log in is named, and the others are not hurt', async () => {
  const failure = await failureOf(read(undefined, { role: 'github' }));
  expect([failure.reason, failure.message]).toEqual(['SourceDenied', expect.stringContaining('role github')]);
  expect((await read()).version).toBe('1');
});
