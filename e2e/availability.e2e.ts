import { propagated } from './lib/credential.ts';
import { apply, kubeconfig, kubectl, kubectlPath, refusal } from './lib/kube.ts';
import type { Pod } from './lib/kube.ts';
import { allReady, leader, operators } from './lib/operators.ts';
import { processOf } from './lib/process.ts';
import { run, say, until } from './lib/run.ts';
import { githubCredential, probePod, sandbox, startProbe } from './lib/sandbox.ts';
import { canary, newSecret } from './lib/secret.ts';
import { connect } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';
import { explainIfLate } from './lib/why.ts';

const space = 'e2e-availability';
const path = `mcp/${space}-probe`;
let stack: Stack;
let count = 0;

beforeAll(async () => {
  stack = await connect();
  await sandbox(space);
  await stack.vault.remove(path);
  const version = await write();
  await apply([githubCredential(space, 'probe')]);
  await until('the webhook knows the credential', 30, async () => ((await admission()) === '' ? true : undefined));
  const call = await startProbe(space, 'probe');
  await until('a call succeeds', 60, async () => ((await call()).status === 200 ? true : undefined));
  await propagated('probe', version, 60, space);
}, 240_000);

afterAll(() => kubectl('delete', 'namespace', space, '--wait=false'));

async function write(): Promise<string> {
  const value = newSecret();
  await stack.internet.issue('github', `${canary}/availability-${(count += 1)}`, value);
  return stack.vault.write(path, { token: value });
}

/** A dry run; empty when the pod would be made, with its sidecar. */
const admission = async (): Promise<string> => refusal(await probePod(space, 'other', { labels: { app: 'probe' } }));

/** Three admissions at a time, without a pause, while `during` runs; resolves with what was said against them. */
async function underAdmissions(during: () => Promise<unknown>): Promise<{ admissions: number; refusals: string[] }> {
  const said: string[] = [];
  const over = new AbortController();
  const lane = async (): Promise<void> => {
    while (!over.signal.aborted) said.push(await admission());
  };
  const admitting = Promise.all([lane(), lane(), lane()]);
  try {
    await during();
  } finally {
    over.abort();
    await admitting;
  }
  return { admissions: said.length, refusals: said.filter((text) => text !== '') };
}

test('the leader is killed in the moment of a rotation: another one leads, and within 10 s the status is right', async () => {
  const took: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    await allReady();
    const killed = await leader();
    const version = await write();
    const at = Date.now();
    process.kill(await processOf(killed, 'operator'), 'SIGKILL');
    const seconds = ((await propagated('probe', version, 60, space)) - at) / 1000;
    await explainIfLate('probe', space, at, seconds);
    took.push(seconds);
  }
  say(`the status was right after ${took.join(', ')} s`);
  expect(Math.max(...took)).toBeLessThanOrEqual(10); // the promise of the issue, not a benchmark
}, 300_000);

test('replicas that are replaced one after the other fail no admission, and a rotation goes on', async () => {
  await allReady();
  const version = await write();
  const { admissions, refusals } = await underAdmissions(async () => {
    await kubectl('-n', 'rekey-system', 'rollout', 'restart', 'deployment/rekey-operator');
    await kubectl('-n', 'rekey-system', 'rollout', 'status', 'deployment/rekey-operator', '--timeout=120s');
    await allReady();
  });
  expect(refusals).toEqual([]);
  expect(admissions).toBeGreaterThan(10);
  await propagated('probe', version, 60, space);
}, 240_000);

test('a drain takes one replica at a time, and no admission fails', async () => {
  await allReady();
  const first = await leader();
  const second = (await operators()).find(({ metadata }) => metadata.name !== first.metadata.name);
  const { refusals } = await underAdmissions(async () => {
    expect(await evict(first)).toBe('');
    expect(await evict(second)).toContain('disruption budget');
    await until('another one leads', 30, async () => ((await leader()).metadata.name === first.metadata.name ? undefined : true));
    await allReady();
  });
  expect(refusals).toEqual([]);
}, 240_000);

/** As `kubectl drain` does it; resolves with what is said against it. */
async function evict(pod: Pod | undefined): Promise<string> {
  const { name = '', namespace = '' } = pod?.metadata ?? {};
  const input = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } });
  const args = ['create', '--raw', `/api/v1/namespaces/${namespace}/pods/${name}/eviction`, '-f', '-'];
  return run(kubectlPath, args, { env: { KUBECONFIG: kubeconfig }, input }).then(
    () => '',
    (error: Error) => error.message,
  );
}
