import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { apiPath, apiVersion, refreshAnnotation } from '@rekey/crds/names.ts';
import { Registry } from 'prom-client';
import { until } from '@rekey/lib/process.real.ts';
import { storeAt } from '../poll/vault.fake.ts';
import { findCondition } from '../status.ts';
import { startController } from './start.ts';
import type { Controller } from './start.ts';
import { inTools, startWorld } from './world.real.ts';
import type { World } from './world.real.ts';

const patience = 60_000;
let world: World;
let tools: ReturnType<typeof inTools>;
let controller: Controller;
let registry: Registry;
const logged: string[] = [];

function start(): void {
  registry = new Registry();
  const { address, caBundle } = world.vault;
  controller = startController({
    kubernetes: world.operator,
    config: {
      namespace: 'rekey',
      pod: 'rekey-operator-1',
      serviceAccount: 'rekey-operator',
      sidecarClusterRole: 'rekey-sidecar',
      defaultStore: storeSpec.parse({ ...storeAt(address, caBundle).spec, pollIntervalSeconds: 1 }),
    },
    log: (_level, message, fields) => logged.push(`${message} ${JSON.stringify(fields ?? {})}`),
    signal: new AbortController().signal,
    registry,
  });
}

beforeAll(async () => {
  world = await startWorld();
  tools = inTools(world);
  start();
}, 180_000);

afterAll(async () => {
  controller.stop();
  await world.stop();
}, patience);

/** A credential at version 1 whose pods all use it. */
async function settled(name: string, pods: string[]): Promise<void> {
  await tools.write(name);
  await tools.createCredential(name);
  for (const pod of pods) await tools.createPod(pod, name);
  for (const pod of pods) await reported(pod, { name, version: '1', acceptedVersion: '1' });
  await tools.says(name, 'Ready', 'True CallsSucceed');
  await tools.says(name, 'Propagated', 'True AllPodsCurrent');
}

const reported = (pod: string, use: Parameters<typeof tools.report>[1]): Promise<unknown> => until(() => tools.report(pod, use));
const version = async (name: string, wanted: string) =>
  until(async () => {
    const { status } = await tools.credential(name);
    return status?.version === wanted ? status : undefined;
  });

test(
  'the default store is made from the configuration, and says whether the login works',
  async () => {
    const store = await until(async () => {
      const read = await world.admin.read<Store>(`${apiPath}/mcpcredentialstores/default`);
      return findCondition(read?.status?.conditions, 'Ready')?.status === 'True' ? read : undefined;
    });
    expect(store.spec.vault?.address).toBe(world.vault.address);
  },
  patience,
);

test(
  'a person who has just made a credential is told what is missing, step by step',
  async () => {
    await tools.createCredential('steps');
    const { message } = await tools.says('steps', 'Ready', 'False SecretNotFound');
    expect(message).toContain('there is no secret at kv/mcp/steps in MCPCredentialStore default');
    await tools.write('steps');
    await tools.says('steps', 'Available', 'Unknown NoPods');
    await tools.createPod('steps-0', 'steps', false);
    const closed = await until(async () => {
      const condition = findCondition((await tools.credential('steps')).status?.conditions, 'Available');
      return condition?.message.includes('not opted in') === true ? condition : undefined;
    });
    expect(closed.message).toContain(
      'kubectl label namespace tools rekey.dev/injection=enabled && kubectl -n tools rollout restart deployment/steps',
    );
    await world.admin.patch('/api/v1/namespaces/tools', { metadata: { labels: { 'rekey.dev/injection': 'enabled' } } });
    const restart = await tools.says('steps', 'RestartRequired', 'True RestartRequired');
    expect(restart.message).toBe(
      '1 pod matches and was created without the credential (steps-0). Run: kubectl -n tools rollout restart deployment/steps',
    );
    expect(await tools.events('steps')).toContainEqual(
      expect.stringContaining('Warning SecretNotFound: there is no secret at kv/mcp/steps'),
    );
  },
  patience,
);

test(
  'an injected pod gets a binding that it owns, in which its sidecar may report',
  async () => {
    await settled('bound', ['bound-0']);
    const binding = await tools.binding('bound-0');
    expect(binding?.spec).toMatchObject({ node: 'node1', serviceAccount: 'default', credentials: ['bound'] });
    expect(binding?.metadata.ownerReferences).toEqual([
      { apiVersion: 'v1', kind: 'Pod', name: 'bound-0', uid: binding?.spec.podUID, controller: false, blockOwnerDeletion: false },
    ]);
  },
  patience,
);

test(
  'a rotation reaches status.version in one write, waits for every pod, and is recorded',
  async () => {
    await settled('turn', ['turn-0', 'turn-1']);
    await tools.write('turn');
    const moving = await version('turn', '2');
    expect(moving).toMatchObject({ previousVersion: '1', rotation: { phase: 'RollingOut', trigger: 'SourceChanged' } });
    expect(findCondition(moving.conditions, 'Propagated')).toMatchObject({ status: 'False', reason: 'RollingOut' });
    await reported('turn-0', { name: 'turn', version: '2', acceptedVersion: '2' });
    const half = await until(async () =>
      (await tools.credential('turn')).status?.pods?.current === 1 ? tools.credential('turn') : undefined,
    );
    expect(findCondition(half.status?.conditions, 'Propagated')?.message).toBe('1 of 2 pods use version 2; waiting for turn-1');
    await reported('turn-1', { name: 'turn', version: '2', acceptedVersion: '2' });
    await tools.says('turn', 'Propagated', 'True AllPodsCurrent');
    const { status } = await tools.credential('turn');
    expect(status?.history).toMatchObject([
      { version: '2', trigger: 'SourceChanged', result: 'Complete' },
      { version: '1', trigger: 'Created' },
    ]);
    const events = await until(async () => {
      const all = await tools.events('turn');
      // One Event a reason: that of the first version says now what came last.
      return all.some((event) => /RotationComplete: 2 of 2 pods use version 2/u.test(event)) ? all : undefined;
    });
    expect(events).toContainEqual('Normal RotationStarted: version 1 -> 2, trigger SourceChanged');
    expect(events).toContainEqual(expect.stringMatching(/^Normal RotationComplete: 2 of 2 pods use version 2 after [0-9.]+ s$/u));
    expect(events.filter((event) => event.includes('RotationStarted'))).toHaveLength(1);
    expect(await registry.metrics()).toMatch(/rekey_credentials\{available="True",reason="CallsSucceed"\} [1-9]/u);
  },
  patience,
);

test(
  'a pin takes the fleet back, and a pin to nothing leaves it where it is',
  async () => {
    await settled('pinned', ['pinned-0']);
    await tools.write('pinned');
    await version('pinned', '2');
    await tools.edit('pinned', { version: '1' });
    expect((await version('pinned', '1')).rotation?.trigger).toBe('VersionPinned');
    await tools.edit('pinned', { version: '9' });
    await tools.says('pinned', 'Propagated', 'False VersionNotFound');
    expect((await tools.credential('pinned')).status?.version).toBe('1');
    await tools.edit('pinned', { version: '' });
    expect((await version('pinned', '2')).rotation?.trigger).toBe('VersionUnpinned');
  },
  patience,
);

test.each([
  ['deleted', 'Deleted', 'kv/delete/mcp/gone-deleted', 'restore it'],
  ['destroyed', 'Destroyed', 'kv/destroy/mcp/gone-destroyed', 'write a new version'],
])(
  'a pin to a version that was %s says so, and takes nothing from the fleet',
  async (state, word, path, advice) => {
    const name = `gone-${state}`;
    await settled(name, [`${name}-0`]);
    await tools.write(name);
    await version(name, '2');
    await reported(`${name}-0`, { name, version: '2', acceptedVersion: '2' });
    await world.vault.call('PUT', path, { versions: [1] });
    await tools.edit(name, { version: '1' });
    const { message } = await tools.says(name, 'Ready', `False Version${word}`);
    expect(message).toContain(`version 1 of kv/mcp/${name}, which spec.version names, was ${state}: `);
    expect(message).toContain(advice);
    expect((await tools.credential(name)).status).toMatchObject({ version: '2', pods: { current: 1, bound: 1, failing: 0 } });
    await tools.edit(name, { version: '' });
    await tools.says(name, 'Ready', 'True CallsSucceed');
  },
  patience,
);

test(
  'the versions in a KV version 1 engine are what the pods say, the operator asks for none, and there is nothing to pin',
  async () => {
    const { address, caBundle } = world.vault;
    const auth = { jwt: { mount: 'kubernetes', role: 'mcp' } };
    const spec = { vault: { address, caBundle, mount: 'old', version: 'v1', auth } };
    await world.admin.apply(`${apiPath}/mcpcredentialstores/old`, {
      apiVersion,
      kind: 'MCPCredentialStore',
      metadata: { name: 'old' },
      spec,
    });
    await tools.createCredential('unversioned', { storeRef: { name: 'old' } });
    const waiting = await tools.says('unversioned', 'Available', 'Unknown NoPods');
    expect(waiting.message).toContain('pods read old/mcp/unversioned themselves');
    for (const pod of ['unversioned-0', 'unversioned-1']) {
      await tools.createPod(pod, 'unversioned');
      await reported(pod, { name: 'unversioned', version: 'aaaa', acceptedVersion: 'aaaa', createdAt: '2026-11-22T12:00:00Z' });
    }
    await tools.says('unversioned', 'Propagated', 'True AllPodsCurrent');
    await tools.says('unversioned', 'SourceReachable', 'True ReadByPods');
    await reported('unversioned-1', { name: 'unversioned', version: 'bbbb', acceptedVersion: 'bbbb', createdAt: '2026-11-22T12:01:00Z' });
    await version('unversioned', 'bbbb');
    await reported('unversioned-0', { name: 'unversioned', version: 'bbbb', createdAt: '2026-11-22T12:01:01Z' });
    await tools.says('unversioned', 'Propagated', 'True AllPodsCurrent');
    await tools.edit('unversioned', { version: '1' });
    const { message } = await tools.says('unversioned', 'Ready', 'False VersionNotFound');
    expect(message).toContain('old/mcp/unversioned keeps no versions, so spec.version cannot name one: leave it out');
    expect((await tools.credential('unversioned')).status?.version).toBe('bbbb');
    const store = await world.admin.read<Store>(`${apiPath}/mcpcredentialstores/old`);
    expect(findCondition(store?.status?.conditions, 'Ready')).toMatchObject({ status: 'True', reason: 'LoggedIn' });
    expect(await registry.metrics()).not.toMatch(/rekey_polls_total\{store="old",outcome="(?!ok)/u);
  },
  patience,
);

test(
  'the versions of a Kubernetes Secret are what the pods say, and a refresh is passed on to them',
  async () => {
    const source = { kubernetesSecret: { name: 'keys', key: 'token' } };
    await tools.createCredential('own', { source });
    const waiting = await tools.says('own', 'Available', 'Unknown NoPods');
    expect(waiting.message).toContain('pods read Secret tools/keys themselves');
    for (const pod of ['own-0', 'own-1']) {
      await tools.createPod(pod, 'own');
      await reported(pod, { name: 'own', version: 'aaaa', acceptedVersion: 'aaaa', createdAt: '2026-11-22T12:00:00Z' });
    }
    await tools.says('own', 'Propagated', 'True AllPodsCurrent');
    await tools.says('own', 'SourceReachable', 'True ReadByPods');
    const before = (await tools.pod('own-1'))?.metadata.annotations?.[refreshAnnotation];
    await tools.annotate('own', { [refreshAnnotation]: 'now' });
    await until(async () => ((await tools.pod('own-1'))?.metadata.annotations?.[refreshAnnotation] !== before ? true : undefined));
    await reported('own-1', { name: 'own', version: 'bbbb', acceptedVersion: 'bbbb', createdAt: '2026-11-22T12:01:00Z' });
    const half = await tools.says('own', 'Propagated', 'False RollingOut');
    expect(half.message).toBe('1 of 2 pods use version bbbb; waiting for own-0');
    await reported('own-0', { name: 'own', version: 'bbbb', createdAt: '2026-11-22T12:02:00Z' });
    await tools.says('own', 'Propagated', 'True AllPodsCurrent');
    expect((await tools.credential('own')).status).toMatchObject({ place: 'Secret tools/keys', previousVersion: 'aaaa' });
    await tools.edit('own', { source: { kubernetesSecret: { name: 'keys', key: 'other' } } });
    const { message } = await tools.says('own', 'RestartRequired', 'True RestartRequired');
    expect(message).toContain('created before the volume with key other of Secret keys');
  },
  patience,
);

test(
  'a pod with an identity of its own at the cloud of the store is told of',
  async () => {
    const role = 'arn:aws:iam::123456789012:role/mcp';
    const store = { apiVersion, kind: 'MCPCredentialStore', metadata: { name: 'aws' } };
    const awsSecretsManager = { region: 'eu-central-1', roleARN: role, operatorRoleARN: role, stsEndpoint: 'https://127.0.0.1:1' };
    await world.admin.apply(`${apiPath}/mcpcredentialstores/aws`, { ...store, spec: { awsSecretsManager } });
    await tools.createCredential('cloud', { source: { awsSecretsManager: { secretId: 'mcp/cloud' } }, storeRef: { name: 'aws' } });
    await tools.createPod('cloud-0', 'cloud', true, [{ name: 'AWS_ACCESS_KEY_ID', value: 'x' }]);
    const event = await until(async () => (await tools.events('cloud-0')).find((text) => text.includes('EquivalentIdentity')));
    expect(event).toContain('Warning EquivalentIdentity: container server has AWS_ACCESS_KEY_ID');
  },
  patience,
);

test(
  'a failing pod and the kill switch are told, and so is the end of both',
  async () => {
    await settled('failing', ['failing-0']);
    await reported('failing-0', { name: 'failing', version: '1', reason: 'CredentialRefused', message: 'api.github.com answers 401' });
    const { message } = await tools.says('failing', 'Ready', 'False CredentialRefused');
    expect(message).toBe('1 of 1 pod: api.github.com answers 401 (failing-0)');
    await tools.edit('failing', { suspend: true });
    await tools.says('failing', 'Ready', 'False Suspended');
    await reported('failing-0', { name: 'failing', version: '1', acceptedVersion: '1' });
    await tools.edit('failing', { suspend: false });
    await tools.says('failing', 'Ready', 'True CallsSucceed');
    await until(async () => (await tools.events('failing')).find((event) => event.startsWith('Normal Resumed')));
  },
  patience,
);

test(
  'of two credentials for one host of one pod the younger is refused',
  async () => {
    await settled('first', ['first-0']);
    await tools.createCredential('second', { podSelector: { matchLabels: { app: 'first' } } });
    const { message } = await tools.says('second', 'Ready', 'False HostConflict');
    expect(message).toContain('the older MCPCredential first is for api.github.com');
    expect(findCondition((await tools.credential('first')).status?.conditions, 'Ready')?.status).toBe('True');
  },
  patience,
);

test(
  'a pod that comes back under its name takes its binding over',
  async () => {
    await settled('again', ['again-0']);
    const before = await tools.binding('again-0');
    await world.remove('/api/v1/namespaces/tools/pods/again-0');
    await tools.createPod('again-0', 'again');
    const after = await until(async () => {
      const binding = await tools.binding('again-0');
      return binding?.spec.podUID === before?.spec.podUID ? undefined : binding;
    });
    expect(after?.metadata.ownerReferences).toMatchObject([{ uid: after?.spec.podUID }]);
  },
  patience,
);

test(
  'what somebody takes away from under the operator comes back',
  async () => {
    const paths = [
      `${apiPath}/mcpcredentialstores/default`,
      '/apis/rbac.authorization.k8s.io/v1/namespaces/tools/rolebindings/rekey-sidecar',
    ];
    for (const path of paths) {
      const before = await until(() => world.admin.read(path));
      await world.remove(path);
      await until(async () => {
        const after = await world.admin.read(path);
        return after !== undefined && after.metadata.uid !== before.metadata.uid ? after : undefined;
      });
    }
    await settled('after', ['after-0']);
    expect((await tools.binding('after-0'))?.status?.credentials).toHaveLength(1);
  },
  patience,
);

test(
  'nothing is written while nothing happens, nor after a restart of the operator',
  async () => {
    await settled('idle', ['idle-0']);
    const before = await tools.credential('idle');
    await pollsMore(3);
    controller.stop();
    start();
    await pollsMore(3);
    expect((await tools.credential('idle')).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  },
  patience,
);

async function pollsMore(polls: number): Promise<void> {
  const count = async (): Promise<number> =>
    Number(/rekey_polls_total\{store="default",outcome="ok"\} (\d+)/u.exec(await registry.metrics())?.[1] ?? 0);
  const all = (await tools.allCredentials()).length;
  const first = await count();
  await until(async () => ((await count()) >= first + polls * all ? true : undefined));
}

test('with all its rights the operator reads no secret, and a sidecar no other namespace', async () => {
  await expect(world.operator.read('/api/v1/namespaces/tools/secrets/any')).rejects.toMatchObject({ status: 403 });
  await expect(world.operator.read('/api/v1/secrets')).rejects.toMatchObject({ status: 403 });
  await expect(world.sidecar.read(`${apiPath}/namespaces/rekey/mcpcredentials`)).rejects.toMatchObject({ status: 403 });
});

test('no line of the log says what a vault or a secret says', () => {
  expect(logged.join('\n')).not.toContain('canary');
  expect(logged.filter((line) => line.startsWith('not reconciled'))).toEqual([]);
});
