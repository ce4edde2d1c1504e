import { apply, get, kubeconfig, kubectl, kubectlPath, pods, refusal } from './lib/kube.ts';
import { run, until } from './lib/run.ts';
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
    await kubectl('-n', 'rekey-system', 'scale', 'deployment/rekey-operator', '--replicas=2');
    await kubectl('-n', 'rekey-system', 'rollout', 'status', 'deployment/rekey-operator', '--timeout=120s');
  }
  await until('the webhook injects again', 60, async () =>
    (await refusal(await probePod(space, 'probe3', { labels: { app: 'probe' } }))) === '' ? true : undefined,
  );
}, 240_000);

test('the CA bundle of both webhooks, emptied by hand, is mended within a minute', async () => {
  const bundles = async (): Promise<(string | undefined)[]> =>
    (await get<{ webhooks: { clientConfig: { caBundle?: string } }[] }>('mutatingwebhookconfiguration', 'rekey-operator')).webhooks.map(
      ({ clientConfig }) => clientConfig.caBundle,
    );
  const good = await bundles();
  expect(good).toEqual([expect.stringMatching(/^LS0t/u), expect.stringMatching(/^LS0t/u)]);
  const remove = good.map((_bundle, index) => ({ op: 'remove', path: `/webhooks/${index}/clientConfig/caBundle` }));
  await kubectl('patch', 'mutatingwebhookconfiguration', 'rekey-operator', '--type=json', '-p', JSON.stringify(remove));
  // Each replica has a CA of its own.
  const replicas = (await pods('rekey-system')).length;
  const authorities = (bundle = ''): number => Buffer.from(bundle, 'base64').toString().split('BEGIN CERTIFICATE').length - 1;
  await until('the CA bundles are back', 60, async () =>
    (await bundles()).every((bundle) => authorities(bundle) >= replicas) ? true : undefined,
  );
  expect(await refusal(await probePod(space, 'probe4', { labels: { app: 'probe' } }))).toBe('');
}, 120_000);

describe('a namespace that opts in as a whole', () => {
  const whole = 'e2e-optin';
  const unlabelled = { 'rekey.dev/inject': undefined } as unknown as Record<string, string>;

  beforeAll(async () => {
    await sandbox(whole);
    await apply([githubCredential(whole, 'probe')]);
    await kubectl('label', 'namespace', whole, 'rekey.dev/injection=enabled');
  }, 120_000);

  afterAll(() => kubectl('delete', 'namespace', whole, '--wait=false'));

  test('a pod without a label gets the sidecar', async () => {
    const injected = await until('an injected pod', 30, async () => {
      const pod = await dryRun(await probePod(whole, 'probe', { labels: unlabelled }));
      return pod.metadata.labels?.['rekey.dev/injected'] === 'true' ? pod : undefined;
    });
    expect(injected.spec.initContainers).toMatchObject([{ name: 'rekey', restartPolicy: 'Always' }]);
  }, 60_000);

  test('a pod that opts out stays as it is', async () => {
    const { metadata, spec } = await dryRun(await probePod(whole, 'probe', { labels: { 'rekey.dev/inject': 'false' } }));
    expect(spec.initContainers).toBeUndefined();
    expect(metadata.annotations).toBeUndefined();
  }, 60_000);
});

async function dryRun(pod: object): Promise<PodObject> {
  return JSON.parse(
    await run(kubectlPath, ['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
      env: { KUBECONFIG: kubeconfig },
      input: JSON.stringify(pod),
    }),
  ) as PodObject;
}
