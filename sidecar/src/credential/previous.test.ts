import type { Use } from '@rekey/crds/binding.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { rotationDefaults } from '@rekey/crds/rotation-defaults.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { fakeClock } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import { Live } from './live.ts';
import { fakeVault } from '../source/vault/vault.fake.ts';
import type { FakeVault } from '../source/vault/vault.fake.ts';
import { Stores } from './stores.ts';

// A provider that learns late of a new key: what a pod's calls and its binding do meanwhile.

let vault: FakeVault;
let stores: Stores;
let clock: FakeClock;
let live: Live;
let warnings: string[];

const spec = (over: Partial<CredentialSpec> = {}): CredentialSpec => ({
  source: { vault: { path: 'mcp/github', key: 'token' } },
  storeRef: { name: 'default' },
  version: '',
  hosts: ['api.github.com'],
  inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
  refused: [{ status: 401 }],
  env: [],
  podSelector: { matchLabels: { app: 'mcp' } },
  cacheTTLSeconds: 60,
  maxStaleSeconds: 300,
  rotation: { ...rotationDefaults, graceSeconds: 600 },
  suspend: false,
  ...over,
});
const written = (count: number): void =>
  void vault.secrets.set(
    'mcp/github',
    Array.from({ length: count }, (_none, index) => ({ data: { token: `sk-${index + 1}` } })),
  );

beforeEach(async () => {
  vault = await fakeVault();
  clock = fakeClock();
  warnings = [];
  const auth = { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } };
  const store: StoreSpec = { vault: { address: vault.address, caBundle: vault.server.ca, mount: 'kv', auth }, pollIntervalSeconds: 10 };
  const token = (): Promise<string> => Promise.resolve('jwt');
  stores = new Stores({ lookup: vault.server.lookup, namespace: 'tools', pod: 'p', secrets: '/nowhere', token, onChange: () => undefined });
  stores.set('default', store);
});
afterEach(async () => {
  live.stop();
  stores.close();
  await vault.server.close();
});

/** A pod that has changed over from version 1, which was accepted, to version 2. */
async function changeOver(over: Partial<CredentialSpec> = {}): Promise<void> {
  written(1);
  live = new Live(
    {
      name: 'github',
      namespace: 'tools',
      stores,
      clock,
      random: () => 0,
      log: (level, message) => void (level === 'warn' && warnings.push(message)),
      send: () => Promise.reject(new Error('no probe')),
      onRead: () => undefined,
      onUse: () => undefined,
    },
    { spec: spec(over), version: '1' },
  );
  live.follow();
  expect((await live.grant()).version).toBe('1');
  live.report('1', true);
  written(2);
  live.set({ spec: spec(over), version: '2' });
  while ((await live.grant()).version !== '2') await pass(50);
}

async function pass(milliseconds: number): Promise<void> {
  await clock.pass(milliseconds);
  await new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
}
/** What a call does whose version 2 was refused: the version that it goes on with. */
async function afterRefusal(): Promise<string> {
  const answers: string[] = [];
  void live.grantAfterRefusal('2').then(({ version, value }) => answers.push(`${version} ${value.reveal()}`));
  while (answers.length === 0) await pass(50);
  return answers.join();
}
const use = (): Omit<Use, 'since'> => live.use();

test('a call whose new version is refused goes on with the one before, without waiting', async () => {
  await changeOver();
  const before = clock.now();
  expect(await afterRefusal()).toBe('1 sk-1');
  expect(clock.now() - before).toBeLessThan(250);
  expect((await live.grant()).version).toBe('2');
});

test('the binding says that it was refused and that calls fall back, and which version that is', async () => {
  await changeOver();
  expect(use()).toMatchObject({ version: '2', holds: ['1'] });
  await afterRefusal();
  live.report('1', true);
  expect(use()).toMatchObject({ version: '2', acceptedVersion: '1', holds: ['1'], reason: 'NewVersionRefused' });
  expect(use().message).toBe('the upstream refuses version 2, and calls fall back to version 1');
  expect(warnings).toHaveLength(1);
});

test('a newer version is better than the one before', async () => {
  await changeOver();
  written(3);
  expect(await afterRefusal()).toBe('3 sk-3');
});

test('once the provider knows the new version nothing is left of it', async () => {
  await changeOver();
  await afterRefusal();
  await clock.pass(10_000);
  live.report('2', true);
  expect(use()).toMatchObject({ acceptedVersion: '2' });
  expect(use()).not.toHaveProperty('reason');
});

test('after the grace the refusal stands, and the pod holds the new version alone', async () => {
  await changeOver();
  await afterRefusal();
  await pass(600_000);
  expect(use()).not.toHaveProperty('holds');
  expect(await afterRefusal()).toBe('2 sk-2');
  expect(use().reason).toBe('CredentialRefused');
});

test('without a grace the refusal stands', async () => {
  await changeOver({ rotation: { ...rotationDefaults, graceSeconds: 0 } });
  expect(use()).not.toHaveProperty('holds');
  expect(await afterRefusal()).toBe('2 sk-2');
});

test('when the version before is refused too no call tries it again, and the binding says so', async () => {
  await changeOver();
  await afterRefusal();
  live.report('1', false);
  expect(use()).toMatchObject({ version: '2', reason: 'CredentialRefused' });
  expect(use()).not.toHaveProperty('holds');
  expect(await afterRefusal()).toBe('2 sk-2');
});

const dropped: Record<string, () => Promise<void> | void> = {
  suspended: () => live.set({ spec: spec({ suspend: true }), version: '2' }),
  'of another source': () => live.set({ spec: spec({ source: { vault: { path: 'mcp/other', key: 'token' } } }), version: '2' }),
  deleted: () => live.set(undefined),
  'denied at the source': async () => {
    vault.fault = (request, response) => {
      if (request.method !== 'GET') return false;
      response.writeHead(403).end('{"errors":["permission denied"]}');
      return true;
    };
    live.refresh();
    for (let turn = 0; turn < 20; turn += 1) await pass(50);
  },
};
test.each(Object.entries(dropped))('of a credential that is %s the version before is dropped too', async (_what, drop) => {
  await changeOver();
  await drop();
  expect(use().holds ?? []).toEqual([]);
  await expect(live.grantAfterRefusal('2')).rejects.toBeInstanceOf(Failure);
});
