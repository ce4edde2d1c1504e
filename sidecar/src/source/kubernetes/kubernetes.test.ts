import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesReference } from '@rekey/crds/credential.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading, Source } from '../source.ts';
import { kubernetesSource } from './kubernetes.ts';

let folder: string;
let source: Source;
let changes: PromiseWithResolvers<void>;
let written = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'secrets-'));
  project({ github: { token: 'sk-1\n' } });
  changes = Promise.withResolvers();
  source = open();
});
afterEach(() => {
  source.close();
  rmSync(folder, { recursive: true });
});

function open(over: { secrets?: string; namespace?: string } = {}): Source {
  return kubernetesSource({
    name: '',
    store: undefined,
    token: () => Promise.reject(new Error('no token is needed')),
    lookup: () => undefined,
    namespace: 'tools',
    pod: 'mcp-github-0',
    secrets: folder,
    onChange: () => changes.resolve(),
    ...over,
  });
}

/** As the kubelet does it: a new folder, and the link `..data` moved to it; the visible names are links through `..data`. */
function project(secrets: Record<string, Record<string, string | Buffer>>): void {
  written += 1;
  const data = join(folder, `..${written}`);
  for (const [name, keys] of Object.entries(secrets)) {
    mkdirSync(join(data, name), { recursive: true });
    for (const [key, value] of Object.entries(keys)) writeFileSync(join(data, name, key), value);
    rmSync(join(folder, name), { force: true });
    symlinkSync(join('..data', name), join(folder, name));
  }
  symlinkSync(`..${written}`, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
}

const read = (reference: KubernetesReference = { name: 'github', key: 'token' }, from = source): Promise<Reading> =>
  from.read({ kubernetesSecret: reference }, undefined, new AbortController().signal);
const failureOf = async (reading: Promise<unknown>): Promise<Failure> => {
  const error: unknown = await reading.catch((caught: unknown) => caught);
  if (error instanceof Failure) return error;
  throw new Error('no Failure');
};

test('a value is read with a name of its own, and again as the kubelet changes it', async () => {
  const first = await read();
  expect(first.value.reveal()).toBe('sk-1');
  expect(first.version).toMatch(/^[0-9a-f]{12}$/u);
  expect(first.createdAt).toEqual(statSync(join(folder, 'github/token')).mtime);
  project({ github: { token: 'sk-2' } });
  const second = await read();
  expect(second.value.reveal()).toBe('sk-2');
  expect(second.version).not.toBe(first.version);
});

describe('a user and a password', () => {
  const reference = { name: 'jira', key: 'password', userKey: 'username' };
  const pairOf = async (): Promise<(string | undefined)[]> => {
    const { value } = await read(reference);
    return [value.user?.reveal(), value.reveal()];
  };

  test('are read together, and either makes another version', async () => {
    project({ jira: { username: 'bot\n', password: 'sk-1' } });
    expect(await pairOf()).toEqual(['bot', 'sk-1']);
    const versions = [(await read(reference)).version];
    for (const jira of [
      { username: 'bot2', password: 'sk-1' },
      { username: 'bot2', password: 'sk-2' },
    ]) {
      project({ jira });
      versions.push((await read(reference)).version);
      expect(await pairOf()).toEqual([jira.username, jira.password]);
    }
    expect(new Set(versions).size).toBe(3);
  });

  test('are of one moment, however often the kubelet changes them meanwhile', async () => {
    project({ jira: { username: 'u0', password: 'p0' } });
    const readings: Promise<(string | undefined)[]>[] = [];
    for (let count = 1; count < 20; count += 1) {
      readings.push(pairOf());
      await new Promise((resolve) => setImmediate(resolve));
      project({ jira: { username: `u${count}`, password: `p${count}` } });
    }
    for (const [user, password] of await Promise.all(readings)) expect(password).toBe(user?.replace('u', 'p'));
  });

  test('without a user there is no value', async () => {
    project({ jira: { password: 'sk-1' } });
    const { reason, message } = await failureOf(read(reference));
    expect([reason, message]).toEqual(['SecretNotFound', expect.stringContaining('with a key username')]);
  });
});

test('a change is told of', async () => {
  project({ github: { token: 'sk-2' } });
  await changes.promise;
  expect((await read()).value.reveal()).toBe('sk-2');
});

test('the name is the same in every pod and after a roll-back, another at another place, and not a plain hash', async () => {
  const { version } = await read();
  const other = open();
  const elsewhere = open({ namespace: 'other' });
  expect((await read(undefined, other)).version).toBe(version);
  expect((await read(undefined, elsewhere)).version).not.toBe(version);
  project({ github: { token: 'sk-2' } });
  await read();
  project({ github: { token: 'sk-1' } });
  expect((await read()).version).toBe(version);
  expect(createHash('sha256').update('sk-1').digest('hex')).not.toContain(version);
  other.close();
  elsewhere.close();
});

const absent: [string, { name: string; key: string }][] = [
  ['a Secret that is not there', { name: 'gitlab', key: 'token' }],
  ['a key that is not there', { name: 'github', key: 'other' }],
];
test.each(absent)('%s', async (_name, reference) => {
  const { reason, message } = await failureOf(read(reference));
  expect(reason).toBe('SecretNotFound');
  expect(message).toContain(`Secret ${reference.name} with a key ${reference.key}`);
});

test('a Secret that is deleted is gone at the next read', async () => {
  await read();
  project({ other: { token: 'sk-1' } });
  expect((await failureOf(read())).reason).toBe('SecretNotFound');
});

test('a pod without the volume, which has nothing to watch either', async () => {
  const without = open({ secrets: join(folder, 'nowhere') });
  expect((await failureOf(read(undefined, without))).reason).toBe('SecretNotFound');
  without.close();
});

test('what cannot be read is an outage', async () => {
  expect((await failureOf(read({ name: '..data', key: 'github' }))).reason).toBe('SourceUnreachable');
});

const values: [string, string | Buffer, string][] = [
  ['empty', '', 'SecretValueEmpty'],
  ['a line break inside', 'sk-1\nsk-2', 'SecretValueInvalid'],
  ['bytes that are no text', Buffer.from([0xff, 0x73, 0x6b]), 'SecretValueInvalid'],
  ['64 KiB and one', 'a'.repeat(65_537), 'SecretValueTooLarge'],
];
test.each(values)('a value that no request can carry: %s', async (_name, value, reason) => {
  project({ github: { token: value } });
  const failure = await failureOf(read());
  expect(failure.reason).toBe(reason);
  expect(failure.message).not.toMatch(/sk-|aaa/u);
});
