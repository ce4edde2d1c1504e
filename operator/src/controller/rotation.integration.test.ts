import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { refreshAnnotation } from '@rekey/crds/names.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { Registry } from 'prom-client';
import { until } from '@rekey/lib/process.real.ts';
import { storeAt } from '../poll/vault.fake.ts';
import { startController } from './start.ts';
import type { Controller } from './start.ts';
import { inTools, startWorld } from './world.real.ts';
import type { World } from './world.real.ts';

// The procedure against a real API server and a real vault; the test plays the sidecars.

const patience = 60_000;
let world: World;
let tools: ReturnType<typeof inTools>;
let controller: Controller;
let registry: Registry;

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
    log: () => undefined,
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

/** A credential at version 1, in use in two pods, NAME-0 and NAME-1. */
async function settled(name: string, rotation?: object): Promise<void> {
  await tools.write(name);
  await tools.createCredential(name, rotation === undefined ? {} : { rotation });
  for (const pod of [`${name}-0`, `${name}-1`]) {
    await tools.createPod(pod, name);
    await reports(pod, { name, version: '1', acceptedVersion: '1' });
  }
  await tools.says(name, 'Ready', 'True CallsSucceed');
  await tools.says(name, 'Propagated', 'True AllPodsCurrent');
}

const reports = (pod: string, use: Parameters<typeof tools.report>[1]): Promise<unknown> => until(() => tools.report(pod, use));

const phase = (name: string, wanted: string, but?: string): Promise<CredentialStatus> =>
  until(async () => {
    const { status } = await tools.credential(name);
    return status?.rotation?.phase === wanted && status.rotation.startedAt !== but ? status : undefined;
  });

/** What the pod that was asked has found out. */
async function answers(name: string, { rotation }: CredentialStatus, outcome: 'Accepted' | 'Refused'): Promise<void> {
  const { candidate = '', startedAt = '', pods: [pod = ''] = [] } = rotation ?? {};
  const message = outcome === 'Refused' ? 'GET api.github.com/user answers 401' : '';
  await reports(pod, { name, version: '1', acceptedVersion: '1', probe: { version: candidate, startedAt, outcome, message } });
}

test(
  'a version that the probe refuses leaves the fleet alone, and is tried again when somebody asks, whichever operator leads',
  async () => {
    await settled('probed', { probe: { path: '/user' } });
    await tools.write('probed');
    const probing = await phase('probed', 'Probing');
    expect(probing).toMatchObject({ version: '1', exact: true, rotation: { candidate: '2', pods: ['probed-0'] } });
    await tools.says('probed', 'Propagated', 'False Probing');
    controller.stop();
    start();
    await answers('probed', probing, 'Refused');
    const refused = await phase('probed', 'RolledBack');
    expect(refused).toMatchObject({ version: '1', rotation: { candidate: '2', reason: 'ProbeRefused' }, rejected: [{ version: '2' }] });
    const condition = await tools.says('probed', 'Propagated', 'False RolledBack');
    expect(condition.message).toContain(
      'version 2 was rolled back (ProbeRefused): pod probed-0 tried version 2: GET api.github.com/user answers 401',
    );
    await tools.says('probed', 'Ready', 'True CallsSucceed');
    expect(await until(async () => (await tools.events('probed')).find((event) => event.startsWith('Warning RolledBack')))).toContain(
      'version 2',
    );
    expect(await registry.metrics()).toContain('rekey_rollbacks_total{reason="ProbeRefused"} 1');

    await tools.annotate('probed', { [refreshAnnotation]: 'please' });
    const again = await phase('probed', 'Probing', probing.rotation?.startedAt);
    expect(again.rotation?.trigger).toBe('Requested');
    await answers('probed', again, 'Accepted');
    expect(await phase('probed', 'RollingOut')).toMatchObject({ version: '2', previousVersion: '1' });
    for (const pod of ['probed-0', 'probed-1']) await reports(pod, { name: 'probed', version: '2', acceptedVersion: '2' });
    await tools.says('probed', 'Propagated', 'True AllPodsCurrent');
    const { history } = await phase('probed', 'Complete');
    expect(history).toMatchObject([
      { version: '2', result: 'Complete' },
      { version: '2', result: 'RolledBack', reason: 'ProbeRefused' },
      { version: '1' },
    ]);
  },
  patience,
);

test(
  'canaries get it first, and time alone lets the others have it',
  async () => {
    await settled('canary', { canaryPods: 1, canarySeconds: 2 });
    await tools.write('canary');
    expect(await phase('canary', 'Canary')).toMatchObject({ version: '1', rotation: { candidate: '2', pods: ['canary-0'] } });
    await reports('canary-0', { name: 'canary', version: '2', acceptedVersion: '2' });
    expect(await phase('canary', 'RollingOut')).toMatchObject({ version: '2' });
  },
  patience,
);

test(
  'refusals that last take the fleet back, without any setting',
  async () => {
    await settled('refused', { refusalSeconds: 1 });
    await tools.write('refused');
    await until(async () => ((await tools.credential('refused')).status?.version === '2' ? true : undefined));
    for (const pod of ['refused-0', 'refused-1'])
      await reports(pod, { name: 'refused', version: '2', acceptedVersion: '1', reason: 'CredentialRefused', message: 'no' });
    const back = await phase('refused', 'RolledBack');
    expect(back).toMatchObject({ version: '1', previousVersion: '2', exact: true, rotation: { reason: 'CredentialRefused' } });
    for (const pod of ['refused-0', 'refused-1']) await reports(pod, { name: 'refused', version: '1', acceptedVersion: '1' });
    await tools.says('refused', 'Ready', 'True CallsSucceed');
  },
  patience,
);

test(
  'the version before may be revoked once no pod can use it, and no longer when a pod can again',
  async () => {
    await settled('revoke');
    await tools.write('revoke');
    await until(async () => ((await tools.credential('revoke')).status?.version === '2' ? true : undefined));
    await reports('revoke-0', { name: 'revoke', version: '2', acceptedVersion: '2' });
    await reports('revoke-1', { name: 'revoke', version: '2', acceptedVersion: '2', holds: ['1'] });
    await tools.says('revoke', 'SafeToRevoke', 'False VersionHeld');
    await reports('revoke-1', { name: 'revoke', version: '2', acceptedVersion: '2' });
    await tools.says('revoke', 'SafeToRevoke', 'True NoPodUsesIt');
    expect((await tools.credential('revoke')).status?.safeToRevoke).toBe('1');
    await tools.createPod('revoke-late', 'revoke');
    await reports('revoke-late', { name: 'revoke', version: '1', acceptedVersion: '1' });
    await tools.says('revoke', 'SafeToRevoke', 'False RollingOut');
    const { status } = await tools.credential('revoke');
    expect(status).not.toHaveProperty('safeToRevoke');
    expect(await until(async () => (await tools.events('revoke')).find((event) => event.includes('NotSafeToRevoke')))).toContain(
      'version 1 is in use again',
    );
  },
  patience,
);

test(
  'an end that a pod was told of, and the age of a version, are conditions',
  async () => {
    await settled('ending');
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    await reports('ending-0', { name: 'ending', version: '1', acceptedVersion: '1', expiresAt });
    await tools.says('ending', 'ExpiringSoon', 'True ExpiringSoon');
    await tools.says('ending', 'Expired', 'False NotExpired');
    expect((await tools.credential('ending')).status?.expiresAt).toBe(expiresAt);
    await tools.edit('ending', { rotationDueDays: 1 });
    await tools.says('ending', 'RotationDue', 'False RotationNotDue');
  },
  patience,
);

test(
  'nothing is written while a rotation waits',
  async () => {
    await settled('waits', { probe: { path: '/user' } });
    await tools.write('waits');
    await phase('waits', 'Probing');
    const before = await tools.credential('waits');
    const polls = async (): Promise<number> =>
      Number(/rekey_polls_total\{store="default",outcome="ok"\} (\d+)/u.exec(await registry.metrics())?.[1] ?? 0);
    const first = await polls();
    await until(async () => ((await polls()) >= first + 12 ? true : undefined));
    expect((await tools.credential('waits')).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  },
  patience,
);
