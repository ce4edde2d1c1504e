import { credential } from './lib/credential.ts';
import { apply, get, kubeconfig, kubectl, kubectlPath, list } from './lib/kube.ts';
import { run, until } from './lib/run.ts';
import type { Stack } from './lib/stack.ts';
import {
  calls,
  cronJob,
  endSpace,
  github,
  job,
  known,
  once,
  podsOf,
  rotate,
  server,
  settled,
  startSpace,
  template,
} from './lib/workload.ts';

// Pods that others make, and the jobs among them end. docs/interoperation.md says what is seen here.

const space = 'e2e-workloads';
let stack: Stack;

beforeAll(async () => {
  const credentials = [
    github(space, 'servers', ['deployment', 'statefulset', 'daemonset']),
    github(space, 'jobs', ['job', 'failing', 'foreign']),
    github(space, 'cron'),
  ];
  stack = await startSpace(space);
  await known(space, credentials, ['deployment', 'job', 'cron']);
  await apply([await cronJob(space, 'cron')]);
}, 240_000);

afterAll(() => endSpace(space));

test('the pods of a Deployment, a StatefulSet and a DaemonSet get the sidecar, and call', async () => {
  const kinds = { deployment: 'Deployment', statefulset: 'StatefulSet', daemonset: 'DaemonSet' } as const;
  await apply(await Promise.all(Object.entries(kinds).map(([name, kind]) => server(space, kind, name))));
  await calls(space, 'deployment', 2);
  await calls(space, 'statefulset', 2);
  await calls(space, 'daemonset', 1);
}, 240_000);

test('a pod of somebody else’s operator does, too: its name is made by the API server, and nobody here knows its owner', async () => {
  await kubectl('-n', space, 'create', 'configmap', 'owner');
  const { metadata: owner } = await get<{ metadata: { uid: string } }>('configmap', 'owner', '-n', space);
  const { metadata, spec } = await template(space, 'foreign');
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.uid, controller: true }];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, generateName: 'made-', namespace: space, ownerReferences }, spec };
  await run(kubectlPath, ['create', '-f', '-'], { env: { KUBECONFIG: kubeconfig }, input: JSON.stringify(pod) });
  await calls(space, 'foreign', 1);
}, 120_000);

interface Job {
  metadata: { name: string; ownerReferences?: { kind: string; name: string }[] };
  status: { conditions?: { type: string; status: string }[] };
}

const isSo = ({ status: { conditions = [] } }: Job, type: 'Complete' | 'Failed'): true | undefined =>
  conditions.some((condition) => condition.type === type && condition.status === 'True') ? true : undefined;

const jobNamed = (name: string): Promise<Job> => get<Job>('job', name, '-n', space);

test('a Job calls and completes: its sidecar ends after it, with the last audit line written', async () => {
  await apply([await job(space, 'job', once)]);
  await until('the Job is complete', 90, async () => isSo(await jobNamed('job'), 'Complete'));
  const [pod] = await podsOf(space, 'job');
  expect(pod?.status.phase).toBe('Succeeded');
  expect(pod?.status.initContainerStatuses).toMatchObject([{ name: 'rekey', state: { terminated: { exitCode: 0 } } }]);
  const audit = await kubectl('-n', space, 'logs', String(pod?.metadata.name), '-c', 'rekey');
  expect(audit).toMatch(/"type":"use".*"status":200/u);
}, 120_000);

test('a Job whose server fails has failed, and is not held up', async () => {
  await apply([await job(space, 'failing', ['false'])]);
  await until('the Job has failed', 90, async () => isSo(await jobNamed('failing'), 'Failed'));
}, 120_000);

test('pods that have ended are waited for no more: a rotation is everywhere, and the old key may be revoked', async () => {
  const version = await rotate(stack, space);
  expect((await settled(space, 'jobs', version)).status?.pods).toMatchObject({ bound: 1, current: 1, failing: 0 });
  expect((await settled(space, 'servers', version)).status?.pods).toMatchObject({ bound: 5, current: 5, failing: 0 });
  const before = String(Number(version) - 1);
  await until(`version ${before} may be revoked`, 60, async () =>
    (await credential('jobs', space)).status?.safeToRevoke === before ? true : undefined,
  );
}, 200_000);

test('a Job that the schedule of a CronJob made completes', async () => {
  const made = await until('a Job of the CronJob is complete', 120, async () =>
    (await list<Job>('jobs', '-n', space)).find((one) => one.metadata.name.startsWith('cron-') && isSo(one, 'Complete')),
  );
  expect(made.metadata.ownerReferences).toMatchObject([{ kind: 'CronJob', name: 'cron' }]);
}, 180_000);
