import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Reading, Source } from '../source.ts';
import type { FakeVault } from './vault.fake.ts';
import { fakeVault } from './vault.fake.ts';
import { failureOf, openOn, readFrom } from './vault.fixture.ts';

const settings = { version: 'v1', mount: 'old' } as const;
let vault: FakeVault;
let source: Source;

beforeEach(async () => {
  vault = await fakeVault();
  source = openOn(vault, settings);
});
afterEach(async () => {
  source.close();
  await vault.server.close();
});

const read = (version?: string, of: object = {}): Promise<Reading> => readFrom(source, version, of);
const says = (response: ServerResponse, status: number, body: string): boolean => {
  response.writeHead(status).end(body);
  return true;
};
const change = (secret: Record<string, unknown>): unknown => vault.unversioned.set('mcp/github', secret);

test('is read without data/ in the path, and a fingerprint stands for the version', async () => {
  const { value, version, createdAt } = await read();
  expect([value.reveal(), version]).toEqual(['sk-old', expect.stringMatching(/^[0-9a-f]{12}$/u)]);
  expect(createdAt).toBeInstanceOf(Date);
  expect(vault.reads.map(({ path }) => path)).toEqual(['/v1/old/mcp/github']);
});

test('a user beside the password is read, and another one makes another version', async () => {
  change({ token: 'sk-old', user: 'bot' });
  const first = await read(undefined, { userKey: 'user' });
  expect([first.value.user?.reveal(), first.value.reveal()]).toEqual(['bot', 'sk-old']);
  change({ token: 'sk-old', user: 'bot2' });
  expect((await read(undefined, { userKey: 'user' })).version).not.toBe(first.version);
});

test('the same value keeps its version and its time, another has its own, and the old one comes back under its name, later', async () => {
  const first = await read();
  expect(await read()).toEqual(first);
  change({ token: 'sk-new' });
  const second = await read();
  expect(second.version).not.toBe(first.version);
  change({ token: 'sk-old' });
  const third = await read();
  expect(third.version).toBe(first.version);
  expect(Number(third.createdAt)).toBeGreaterThan(Number(first.createdAt));
});

test('two pods give the same value the same version, and no plain hash of it', async () => {
  const { version } = await read();
  const other = openOn(vault, settings);
  expect((await readFrom(other)).version).toBe(version);
  other.close();
  expect(createHash('sha256').update('sk-old').digest('hex')).not.toContain(version);
});

test('a pin is refused with what to do instead; the name of what is there now is no pin', async () => {
  const { version } = await read();
  expect((await read(version)).value.reveal()).toBe('sk-old');
  const failure = await failureOf(read('7'));
  expect(failure.reason).toBe('VersionNotFound');
  expect(failure.message).toContain('keeps no versions: leave spec.version out');
});

const cases: Record<string, [() => unknown, string]> = {
  'no such secret': [() => vault.unversioned.clear(), 'SecretNotFound'],
  'no such key': [() => change({ other: 'x' }), 'KeyNotFound'],
  'a number': [() => change({ token: 8 }), 'SecretValueNotString'],
  'a policy that does not let in': [
    () => (vault.fault = (request, response) => request.method === 'GET' && says(response, 403, '{"errors":["permission denied"]}')),
    'SourceDenied',
  ],
  'an answer of something else': [
    () => (vault.fault = (request, response) => request.method === 'GET' && says(response, 200, '<html>')),
    'SourceResponseInvalid',
  ],
};
test.each(Object.entries(cases))('%s', async (_name, [prepare, reason]) => {
  prepare();
  const failure = await failureOf(read());
  expect(failure.reason).toBe(reason);
  expect(failure.message).toContain('old/mcp/github in store default');
});
