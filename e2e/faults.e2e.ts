import { condition, credential, patch } from './lib/credential.ts';
import { apply, containers, kubectl, refusal } from './lib/kube.ts';
import { processOf } from './lib/process.ts';
import { until } from './lib/run.ts';
import type { Answer } from './lib/sandbox.ts';
import { githubCredential, probePod, runningPod, sandbox, startProbe } from './lib/sandbox.ts';
import { canary, newSecret } from './lib/secret.ts';
import { connect } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';

const space = 'e2e-faults';
const path = `mcp/${space}-probe`;
let stack: Stack;
let call: (query?: string) => Promise<Answer>;
let count = 0;

/** A new key, valid, written to the vault. */
async function rotate(): Promise<{ version: string; key: string }> {
  const key = `${canary}/${(count += 1)}`;
  const value = newSecret();
  await stack.internet.issue('github', key, value);
  return { version: await stack.vault.write(path, { token: value }), key };
}

beforeAll(async () => {
  stack = await connect();
  await sandbox(space);
  await stack.vault.remove(path);
  await rotate();
  await apply([githubCredential(space, 'probe', { cacheTTLSeconds: 2, maxStaleSeconds: 10 })]);
  await until('the webhook knows the credential', 30, async () =>
    (await refusal(await probePod(space, 'probe'))) === '' ? true : undefined,
  );
  call = await startProbe(space, 'probe');
  await until('a call succeeds', 60, async () => ((await call()).status === 200 ? true : undefined));
}, 240_000);

afterAll(() => kubectl('delete', 'namespace', space, '--wait=false'));

test('Ready tells of real calls', async () => {
  await until('Ready=True CallsSucceed', 30, async () =>
    condition(await credential('probe', space), 'Ready')?.reason === 'CallsSucceed' ? true : undefined,
  );
}, 60_000);

test('the sidecar is killed: it comes back with the same CA within seconds, the server is not restarted and trusts it still', async () => {
  process.kill(await processOf(await runningPod(space, 'probe'), 'rekey'), 'SIGKILL');
  const killed = Date.now();
  await until('a call succeeds again', 20, async () => ((await call()).status === 200 ? true : undefined), 50);
  const seconds = (Date.now() - killed) / 1000;
  const after = await until('the kubelet has counted the restart', 30, async () => {
    const all = containers(await runningPod(space, 'probe'));
    return all.find(({ name }) => name === 'rekey')?.restartCount === 1 ? all : undefined;
  });
  expect(after.find(({ name }) => name === 'server')?.restartCount).toBe(0);
  expect(seconds).toBeLessThanOrEqual(3); // the promise of the issue, not a benchmark
}, 90_000);

test('the old key is revoked a second before the new one is in the vault: calls wait, and none fails', async () => {
  const answers: Answer[] = [];
  const over = new AbortController();
  const calling = (async () => {
    while (!over.signal.aborted) answers.push(await call());
  })();
  await stack.internet.revoke('github', `${canary}/${count}`);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { key } = await rotate();
  const uses = await until('the new key in use', 30, async () => {
    const use = (await stack.internet.stats()).apis['github']?.tokens[key];
    return use !== undefined && use.accepted > 5 ? use : undefined;
  });
  over.abort();
  await calling;
  expect(uses.refused).toBe(0);
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
}, 60_000);

test('through an outage of the vault the value serves for maxStaleSeconds, then calls fail closed with the reason', async () => {
  const answers: Answer[] = [];
  const over = new AbortController();
  const calling = (async () => {
    while (!over.signal.aborted) answers.push(await call());
  })();
  await stack.vault.away(async () => {
    const stale = answers.length;
    await until('503', 60, async () => (answers.at(-1)?.status === 503 ? true : undefined));
    expect(answers.slice(stale).filter(({ status }) => status === 200).length).toBeGreaterThan(10);
  });
  over.abort();
  await calling;
  expect(new Set(answers.map(({ status, reason }) => `${status} ${reason}`))).toEqual(new Set(['200 null', '503 SourceUnreachable']));
  expect(answers.filter(({ status }) => status === 503).every(({ retryAfter }) => Number(retryAfter) > 0)).toBe(true);
  await until('a call succeeds again', 60, async () => ((await call()).status === 200 ? true : undefined));
}, 180_000);

test('from here on an outage may last: what is dropped is dropped by its reason, not by its age', async () => {
  await patch('probe', { maxStaleSeconds: 3600 }, space);
  await until('a call succeeds', 30, async () => ((await call()).status === 200 ? true : undefined));
}, 60_000);

test.each([
  ['deleted', 'VersionDeleted', 'delete'],
  ['destroyed', 'VersionDestroyed', 'destroy'],
] as const)(
  'a version that was %s is dropped: 503 %s',
  async (_word, reason, how) => {
    const { version } = await rotate();
    await until(`version ${version} in use`, 60, async () =>
      (await credential('probe', space)).status?.version === version ? true : undefined,
    );
    await stack.vault.deleteVersions(path, [Number(version)], how);
    expect(await until(reason, 30, async () => ((await call()).reason === reason ? await call() : undefined))).toMatchObject({
      status: 503,
    });
    await rotate();
    await until('a call succeeds with the next version', 60, async () => ((await call()).status === 200 ? true : undefined));
  },
  180_000,
);

test('an identity that is denied: the value is dropped, 503 SourceDenied', async () => {
  const { json } = await stack.vault.request('GET', 'sys/policies/acl/mcp');
  const { policy } = (json as { data: { policy: string } }).data;
  await stack.vault.writePolicy('mcp', 'path "kv/data/nothing" { capabilities = ["read"] }');
  try {
    await until('SourceDenied', 30, async () => ((await call()).reason === 'SourceDenied' ? true : undefined));
  } finally {
    await stack.vault.writePolicy('mcp', policy);
  }
  await until('a call succeeds again', 60, async () => ((await call()).status === 200 ? true : undefined));
}, 120_000);

test('suspended: refused at once, and resumed', async () => {
  await patch('probe', { suspend: true }, space);
  await until('Suspended', 10, async () => ((await call()).reason === 'Suspended' ? true : undefined));
  await patch('probe', { suspend: false }, space);
  await until('a call succeeds again', 30, async () => ((await call()).status === 200 ? true : undefined));
}, 60_000);

test('a redirect is passed through, and the host that it names is not called', async () => {
  const calls = async (): Promise<number> => (await stack.internet.stats()).apis['gitlab']?.calls ?? 0;
  const before = await calls();
  expect(await call('?path=/repos/octocat/hello-world/zipball')).toMatchObject({
    status: 302,
    location: 'https://gitlab.com/octocat/hello-world.zip',
  });
  expect(await calls()).toBe(before);
}, 30_000);

test('another host than the credential has gets the placeholder as the server sent it', async () => {
  const calls = async (): Promise<number> => (await stack.internet.stats()).apis['gitlab']?.refused ?? 0;
  const before = await calls();
  expect(await call('?origin=https://gitlab.com&path=/api/v4/user')).toMatchObject({ status: 401 });
  expect(await calls()).toBe(before + 1);
  expect((await stack.internet.stats()).misplaced).toEqual([]);
}, 30_000);

test('a credential that the upstream refuses makes Ready False, CredentialRefused', async () => {
  const { key } = await rotate();
  // The resource names the version before the sidecar has read it: only the upstream knows which one a call carried.
  await until('the upstream has seen the new key', 60, async () => {
    await call();
    return (await stack.internet.stats()).apis['github']?.tokens[key]?.accepted ? true : undefined;
  });
  await stack.internet.revoke('github', key);
  expect((await call()).status).toBe(401);
  await until('CredentialRefused', 30, async () =>
    condition(await credential('probe', space), 'Ready')?.reason === 'CredentialRefused' ? true : undefined,
  );
  await rotate();
  await until('Ready again', 60, async () =>
    (await call()).status === 200 && condition(await credential('probe', space), 'Ready')?.status === 'True' ? true : undefined,
  );
}, 180_000);
