import type { Reading, Source } from '../source.ts';
import type { FakeVault } from './vault.fake.ts';
import { fakeVault, vaultName } from './vault.fake.ts';
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

// A standby that names the active node, as Vault does when it cannot forward (api_addr).
let standby: FakeVault;
beforeEach(async () => {
  standby = await fakeVault();
  redirect(standby, vault.address);
});
afterEach(() => standby.server.close());

/** From now on `from` sends all callers to the same path at `address`. */
function redirect(from: FakeVault, address: string, status = 307): void {
  from.fault = (request, response) => {
    response.writeHead(status, { location: `${address}${request.url}` }).end();
    return true;
  };
}
const hostOf = ({ address }: FakeVault): string => new URL(address).host;
const openStandby = (redirectHosts?: string[]): void => {
  source.close();
  source = openOn(standby, redirectHosts === undefined ? {} : { redirectHosts });
};

test('is followed for the login and the read, to a host that the store allows', async () => {
  openStandby([hostOf(vault)]);
  expect((await read()).value.reveal()).toBe('sk-1');
  expect((await read('1')).value.reveal()).toBe('sk-1');
  expect(vault.logins).toEqual([{ role: 'mcp', jwt: 'jwt-1' }]);
  expect(vault.reads.map(({ path }) => path)).toEqual(['/v1/kv/data/mcp/github', '/v1/kv/data/mcp/github?version=1']);
});

test.each([[undefined], [[]], [['other.example:8200', vaultName]]])('is not followed when the store allows %j', async (hosts) => {
  openStandby(hosts);
  expect((await failureOf(read())).reason).toBe('SourceUnreachable');
  expect(vault.server.connections()).toBe(0);
});

test.each([301, 302, 303, 308])('is not followed by a %i', async (status) => {
  redirect(standby, vault.address, status);
  openStandby([hostOf(vault)]);
  expect((await failureOf(read())).reason).toBe('SourceUnreachable');
  expect(vault.server.connections()).toBe(0);
});

test('is followed once: a node that sends on is not followed further', async () => {
  redirect(vault, standby.address);
  openStandby([hostOf(vault), hostOf(standby)]);
  expect((await failureOf(read())).reason).toBe('SourceUnreachable');
  expect([standby.logins.length, vault.logins.length]).toEqual([3, 3]);
});

test('is not followed to a node whose certificate does not verify', async () => {
  const stranger = await fakeVault(true);
  redirect(standby, stranger.address);
  openStandby([hostOf(stranger)]);
  expect((await failureOf(read())).reason).toBe('SourceUnreachable');
  expect(stranger.logins).toEqual([]);
  await stranger.server.close();
});
