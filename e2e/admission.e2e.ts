import { get, kubectl, pods, refusal } from './lib/kube.ts';
import { apply } from './lib/kube.ts';
import { until } from './lib/run.ts';
import { githubCredential, probePod, runningPod, sandbox, startProbe } from './lib/sandbox.ts';
import { connect } from './lib/stack.ts';

const space = 'e2e-admission';

beforeAll(async () => {
  const stack = await connect();
  await sandbox(space);
  await stack.vault.write(`mcp/${space}-probe`, { token: 'a-token-that-nothing-accepts' });
  await apply([githubCredential(space, 'probe')]);
  await until('the webhook knows the credential', 30, async () =>
    (await refusal(await probePod(space, 'probe'))) === '' ? true : undefined,
  );
}, 180_000);

afterAll(() => kubectl('delete', 'namespace', space, '--wait=false'));

interface PodObject {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { initContainers?: { name: string; restartPolicy?: string }[]; nodeName?: string };
}

test('a server-side dry run shows the injected pod and leaves nothing behind', async () => {
  const { metadata, spec } = await dryRun(await probePod(space, 'probe'));
  expect(metadata.labels?.['rekey.dev/injected']).toBe('true');
  expect(spec.initContainers).toMatchObject([{ name: 'rekey', restartPolicy: 'Always' }]);
  expect(await pods(space)).toEqual([]);
}, 60_000);

test('injecting twice is injecting once', async () => {
  const once = await dryRun(await probePod(space, 'probe'));
  const twice = await dryRun({ ...once, metadata: { ...once.metadata, name: 'probe' } });
  expect(twice.spec).toEqual(once.spec);
  expect(twice.metadata.annotations).toEqual(once.metadata.annotations);
}, 60_000);

test('in a namespace that enforces the restricted standard the pod runs', async () => {
  await startProbe(space, 'probe');
  const running = await runningPod(space, 'probe');
  expect(running.status.initContainerStatuses).toMatchObject([{ name: 'rekey', ready: true }]);
}, 120_000);

test('with the operator away an opted-in pod is refused by the policy, and any other starts', async () => {
  await kubectl('-n', 'rekey-system', 'scale', 'deployment/rekey-operator', '--replicas=0');
  try {
    await until('the operator has ended', 60, async () => ((await pods('rekey-system')).length === 0 ? true : undefined));
    expect(await refusal(await probePod(space, 'probe2', { labels: { app: 'probe' } }))).toContain('ValidatingAdmissionPolicy');
    expect(await refusal(await probePod(space, 'other', { labels: { 'rekey.dev/inject': 'false' } }))).toBe('');
  } finally {
    await kubectl('-n', 'rekey-system', 'scale', 'deployment/rekey-operator', '--replicas=1');
    await kubectl('-n', 'rekey-system', 'rollout', 'status', 'deployment/rekey-operator', '--timeout=120s');
  }
  await until('the webhook injects again', 60, async () =>
    (await refusal(await probePod(space, 'probe3', { labels: { app: 'probe' } }))) === '' ? true : undefined,
  );
}, 240_000);

test('the CA bundle of the webhook, emptied by hand, is mended within a minute', async () => {
  const bundle = async (): Promise<string | undefined> =>
    (await get<{ webhooks: { clientConfig: { caBundle?: string } }[] }>('mutatingwebhookconfiguration', 'rekey-operator')).webhooks[0]
      ?.clientConfig.caBundle;
  expect(await bundle()).toBeTruthy();
  await kubectl(
    'patch',
    'mutatingwebhookconfiguration',
    'rekey-operator',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/webhooks/0/clientConfig/caBundle"}]',
  );
  await until('the CA bundle is back', 60, async () => ((await bundle()) === undefined ? undefined : true));
  expect(await refusal(await probePod(space, 'probe4', { labels: { app: 'probe' } }))).toBe('');
}, 120_000);

async function dryRun(pod: object): Promise<PodObject> {
  const { run } = await import('./lib/run.ts');
  const { kubeconfig, kubectlPath } = await import('./lib/kube.ts');
  return JSON.parse(
    await run(kubectlPath, ['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
      env: { KUBECONFIG: kubeconfig },
      input: JSON.stringify(pod),
    }),
  ) as PodObject;
}
