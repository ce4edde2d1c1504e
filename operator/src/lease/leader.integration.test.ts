import { apiPath } from '@rekey/crds/names.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import { Registry } from 'prom-client';
import { startController } from '../controller/start.ts';
import { inTools, startWorld } from '../controller/world.real.ts';
import type { World } from '../controller/world.real.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { until } from '@rekey/lib/process.real.ts';
import { findCondition } from '../status.ts';
import type { LeaseSpec } from './decide.ts';
import { leaseSeconds } from './decide.ts';
import { podOf } from './holder.ts';
import { leaseName } from './lease.ts';
import type { RealReplica } from './replica.real.ts';
import { startReplica } from './replica.real.ts';

const patience = 120_000;
let world: World;
let tools: ReturnType<typeof inTools>;
let replicas: RealReplica[];
let ended: AbortController;
let name: string;
let tests = 0;
/** What the statuses of the credential have said, one after the other. */
let said: string[];

beforeAll(async () => {
  world = await startWorld();
  tools = inTools(world);
}, 180_000);
afterAll(() => world.stop(), patience);

beforeEach(async () => {
  tests += 1;
  [name, said, replicas, ended] = [`credential-${tests}`, [], [], new AbortController()];
  await tools.createCredential(name, { source: { kubernetesSecret: { name: 'keys', key: 'token' } } });
  await tools.createPod(`${name}-0`, name);
  await tools.createPod(`${name}-1`, name);
  void listAndWatch<Credential>({
    path: `${apiPath}/namespaces/tools/mcpcredentials`,
    query: { fieldSelector: `metadata.name=${name}` },
    get: world.admin.get,
    signal: ended.signal,
    onChange: (_key, credential) => said.push(sentence(credential)),
  });
}, patience);
afterEach(async () => {
  ended.abort();
  for (const { signal } of replicas) signal('SIGKILL');
  await Promise.all(replicas.map(({ exit }) => exit));
  await world.remove(leasePath);
}, patience);

const leasePath = `/apis/coordination.k8s.io/v1/namespaces/rekey/leases/${leaseName}`;
const current = (version: string): string => `${version}: True AllPodsCurrent`;

function sentence(credential: Credential | undefined): string {
  const { version = '', conditions } = credential?.status ?? {};
  const propagated = findCondition(conditions, 'Propagated');
  return `${version}: ${propagated?.status ?? ''} ${propagated?.reason ?? ''}`;
}

const reported = (pod: number, version: string): Promise<unknown> => {
  const createdAt = `2026-11-22T12:0${version.length}:00Z`;
  return until(() => tools.report(`${name}-${pod}`, { name, version, acceptedVersion: version, createdAt }));
};
const says = (text: string): Promise<boolean> => until(() => (said.at(-1) === text ? true : undefined));

const lease = async (): Promise<LeaseSpec> => (await world.admin.read<KubernetesObject & { spec?: LeaseSpec }>(leasePath))?.spec ?? {};

/** Resolves with the replica that leads, and the other one. */
async function startTwo(): Promise<[RealReplica, RealReplica]> {
  const start = (pod: string): Promise<RealReplica> => startReplica(`${pod}-${tests}`, world.admin, world.operatorKubeconfig);
  replicas = [await start('a'), await start('b')];
  await until(() => (replicas.every(({ lines }) => lines.some((line) => line.includes('health and metrics listen'))) ? true : undefined));
  const leader = podOf(await until(async () => (await lease()).holderIdentity));
  return replicas.toSorted((a) => (a.pod === leader ? -1 : 1)) as [RealReplica, RealReplica];
}

/** Both pods use the version, and the leader has said so. */
async function settled(version: string): Promise<void> {
  await Promise.all([0, 1].map((pod) => reported(pod, version)));
  await says(current(version));
}

/** Resolves with what the Lease said before and after it passed on. */
async function passedTo(replica: RealReplica, before: LeaseSpec): Promise<{ seconds: number }> {
  const after = await until(async () => {
    const spec = await lease();
    return podOf(spec.holderIdentity ?? '') === replica.pod ? spec : undefined;
  });
  expect(after.leaseTransitions).toBe((before.leaseTransitions ?? 0) + 1);
  return { seconds: (Date.parse(after.acquireTime ?? '') - Date.parse(before.renewTime ?? '')) / 1000 };
}

/** Waits until a second has passed without a further line. */
async function quiet(lines: readonly string[]): Promise<void> {
  for (let seen = -1; seen !== lines.length;) {
    seen = lines.length;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

test(
  'a leader that is paused past its Lease writes nothing when it goes on, and ends with 1',
  async () => {
    const [leader, other] = await startTwo();
    await settled('a');
    await quiet(leader.lines); // what it writes in this moment would be told of when it goes on
    leader.signal('SIGSTOP');
    const before = await lease();
    await reported(0, 'bb');
    const { seconds } = await passedTo(other, before);
    expect(seconds).toBeGreaterThanOrEqual(leaseSeconds);
    await settled('bb');
    const wrote = leader.lines.length;
    const told = said.length;
    leader.signal('SIGCONT');
    expect(await leader.exit).toBe(1);
    await settled('ccc');
    const later = leader.lines.slice(wrote).join('\n');
    expect(later).toContain('the lease is lost');
    expect(later).not.toContain('status written');
    expect(said.slice(told).filter((text) => text.startsWith('a:'))).toEqual([]);
    expect(podOf((await lease()).holderIdentity ?? '')).toBe(other.pod);
  },
  patience,
);

test(
  'a write that was on its way when its leader was paused does not go over what the next one has written',
  async () => {
    let open = (): void => {};
    let gate = Promise.resolve();
    const asked: string[] = [];
    const outcomes: string[] = [];
    const apply = async <T>(path: string, object: object): Promise<T> => {
      asked.push(path);
      await gate;
      return world.operator.apply<T>(path, object).then(
        (written) => (outcomes.push('written'), written),
        (error: Error) => Promise.reject((outcomes.push(error.message), error)),
      );
    };
    startOne({ ...world.operator, apply });
    await settled('a');
    gate = new Promise((resolve) => (open = resolve));
    [asked.length, outcomes.length] = [0, 0];
    await reported(0, 'bb');
    await until(() => asked[0]);
    const next = startOne(world.operator);
    await settled('bb');
    next.abort();
    const told = said.length;
    open();
    expect(await until(() => outcomes[0])).toBe('HTTP 409 Conflict');
    await settled('ccc');
    expect(said.slice(told).filter((text) => text.startsWith('bb:') && text !== current('bb'))).toEqual([]);
  },
  patience,
);

function startOne(kubernetes: Kubernetes): AbortController {
  const stopping = new AbortController();
  startController({
    kubernetes,
    config: { namespace: 'rekey', pod: 'any', serviceAccount: 'rekey-operator', sidecarClusterRole: 'rekey-sidecar' },
    log: () => {},
    signal: AbortSignal.any([ended.signal, stopping.signal]),
    registry: new Registry(),
  });
  return stopping;
}

test(
  'a leader that is killed is replaced before its Lease has run out, and what it has left undone is done',
  async () => {
    const [leader, other] = await startTwo();
    await settled('a');
    leader.signal('SIGKILL');
    expect(await leader.exit).toBe('SIGKILL');
    const before = await lease();
    await reported(0, 'bb');
    await leader.tellEnd();
    const { seconds } = await passedTo(other, before);
    expect(seconds).toBeLessThan(leaseSeconds);
    await settled('bb');
  },
  patience,
);

test(
  'a leader that is told to end gives the Lease back before it does, and ends with 0',
  async () => {
    const [leader, other] = await startTwo();
    await settled('a');
    const before = await lease();
    leader.signal('SIGTERM');
    const { seconds } = await passedTo(other, before);
    expect(seconds).toBeLessThan(leaseSeconds);
    expect(await leader.exit).toBe(0);
    expect(leader.lines.join('\n')).toContain('the lease is released');
    await settled('bb');
  },
  patience,
);
