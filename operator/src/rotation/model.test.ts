import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { credentialStatus } from '@rekey/crds/credential.ts';
import { reasons, standings } from '@rekey/lib/reason.ts';
import { newsOf } from '../decide/news.ts';
import { findCondition, same } from '../status.ts';
import { stillRejected } from './rejected.ts';
import { randomOf, World } from './world.fixture.ts';

// Random interleavings of people, the source, the upstream, sidecars and the operator, and what holds after each step of the operator.

const settings: Record<string, object | undefined> = {
  'without settings': undefined,
  'with a probe': { probe: { path: '/user' } },
  'with canaries': { canaryPods: 2, canarySeconds: 30 },
  'with a probe and canaries': { probe: { path: '/user' }, canaryPods: 1, canarySeconds: 30, refusalThreshold: 1 },
  'with a grace': { graceSeconds: 40 },
};
const words = new Set([...Object.keys(reasons), ...Object.keys(standings), 'Unknown']);

type Step = (world: World, random: () => number) => void;
const anyPod = (world: World, random: () => number): string => [...world.pods.keys()][Math.floor(random() * world.pods.size)] ?? '';

/** Weighted by how often each is there. */
const steps: Step[] = [
  ...Array<Step>(2).fill((world, random) => void world.versions.push({ state: 'Live', good: random() < 0.6 })),
  (world, random) => {
    const version = world.versions[Math.floor(random() * world.versions.length)];
    if (version !== undefined && random() < 0.5) version.state = version.state === 'Live' ? 'Deleted' : 'Live';
  },
  // The key in use is revoked at the provider, whatever the status says of that.
  (world, random) => {
    const version = world.versions[Number(world.status.version ?? 1) - 1];
    if (version !== undefined && random() < 0.3) version.good = false;
  },
  (world) => world.addPod(),
  (world, random) => void world.pods.delete(anyPod(world, random)),
  (world, random) => {
    if (random() < 0.4) world.edit({ version: random() < 0.5 ? '' : String(1 + Math.floor(random() * world.versions.length)) });
    else if (random() < 0.5) world.ask();
  },
  ...Array<Step>(6).fill((world, random) => {
    const pod = world.pods.get(anyPod(world, random));
    if (pod !== undefined) pod.seen = world.status;
  }),
  ...Array<Step>(6).fill((world, random) => world.read(anyPod(world, random))),
  ...Array<Step>(6).fill((world, random) => world.call(anyPod(world, random))),
  ...Array<Step>(3).fill((world, random) => void world.pods.get(anyPod(world, random))?.calls.shift()),
  ...Array<Step>(8).fill((world, random) => world.report(anyPod(world, random))),
  ...Array<Step>(4).fill((world, random) => {
    world.now += Math.floor(random() * 12_000);
  }),
];

interface Decided {
  world: World;
  before: CredentialStatus;
  after: CredentialStatus;
}

const isPinned = ({ world }: Decided): boolean => world.credential.spec.version !== '';
const hasMoved = ({ before, after }: Decided): boolean => before.version !== undefined && after.version !== before.version;

/** What holds after each step of the operator. */
const laws: Record<string, (decided: Decided) => boolean> = {
  'the fleet is never pointed to a rejected version': (decided) => {
    const rejected = stillRejected({ ...decided.world.credential, status: decided.after }, 'here');
    return isPinned(decided) || rejected.every(({ version }) => version !== decided.after.version);
  },
  'with a probe the fleet moves to no version that is refused, unless the one before is gone or it goes back': (decided) => {
    const { world, before, after } = decided;
    const isBack = isPinned(decided) || after.rotation?.phase === 'RolledBack' || !world.isLive(before.version);
    return world.credential.spec.rotation?.probe === undefined || !hasMoved(decided) || isBack || world.isGood(after.version);
  },
  'a version that is safe to revoke is in no pod': ({ world, after }) =>
    [...world.pods.values()].every(
      ({ version, calls }) => after.safeToRevoke === undefined || ![version, ...calls].includes(after.safeToRevoke),
    ),
  'neither the newest nor the version in use is safe to revoke': ({ world, after }) =>
    after.safeToRevoke === undefined || (after.safeToRevoke !== world.newest && after.safeToRevoke !== after.version),
  'the status is one that the API server takes': ({ after }) => credentialStatus.safeParse(after).success,
  // https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus: what Argo CD, Flux and `kubectl wait` go by.
  'who judges by kstatus finds the generation that was seen, and no condition that means something else there': ({ world, after }) => {
    const { generation } = world.credential.metadata;
    const seen = [after, ...(after.conditions ?? [])].every(({ observedGeneration }) => observedGeneration === generation);
    const conditions = new Map((after.conditions ?? []).map((condition) => [condition.type, condition]));
    return seen && conditions.has('Available') && !conditions.has('Reconciling') && !conditions.has('Stalled');
  },
  // There, an Unknown is work that goes on: who waits for it would wait for a server that nobody calls.
  'Ready is as Available, but absent while an idle server lacks nothing more than a call': ({ after }) => {
    const says = (type: string): string => {
      const condition = findCondition(after.conditions, type);
      return condition === undefined ? '' : `${condition.status} ${condition.reason}`;
    };
    const available = says('Available');
    const isIdle = available.startsWith('Unknown') && says('Propagated').startsWith('True') && says('SourceReachable').startsWith('True');
    return says('Ready') === (isIdle ? '' : available);
  },
  'every reason is from the closed lists': ({ before, after }) =>
    [...(after.conditions ?? []), ...newsOf(before, after)].every(({ reason }) => words.has(reason)),
};

function broken(world: World): string[] {
  const decided = { world, ...world.decide() };
  return Object.entries(laws).flatMap(([sentence, holds]) => (holds(decided) ? [] : [sentence]));
}

const seeds = Array.from({ length: 50 }, (_none, seed) => seed + 1);

describe.each(Object.entries(settings))('%s', (_name, rotation) => {
  test('nothing that must hold is broken by any interleaving', () => {
    const found: string[] = [];
    for (const seed of seeds) {
      const random = randomOf(seed);
      const world = new World(rotation);
      for (let step = 0; step < 150; step += 1) {
        steps[Math.floor(random() * steps.length)]?.(world, random);
        if (random() < 0.5) found.push(...broken(world).map((sentence) => `seed ${seed}, step ${step}: ${sentence}`));
      }
    }
    expect(found.slice(0, 5)).toEqual([]);
  });

  test('whoever decides again, with nothing new, changes nothing', () => {
    const found: string[] = [];
    for (const seed of seeds) {
      const random = randomOf(seed);
      const world = new World(rotation);
      for (let step = 0; step < 80; step += 1) {
        steps[Math.floor(random() * steps.length)]?.(world, random);
        const { after } = world.decide();
        if (!same(world.decide().after, after)) found.push(`seed ${seed}, step ${step}`);
      }
    }
    expect(found.slice(0, 5)).toEqual([]);
  });

  test('when everybody has caught up the newest is in use if it is good, and otherwise it was rolled back', () => {
    const found: string[] = [];
    for (const seed of seeds) {
      const random = randomOf(seed);
      const world = new World(rotation);
      for (let step = 0; step < 60; step += 1) {
        steps[Math.floor(random() * steps.length)]?.(world, random);
        if (random() < 0.5) world.decide();
      }
      world.addPod();
      world.edit({ version: '' });
      const good = random() < 0.5;
      world.versions = world.versions.map(() => ({ state: 'Live', good: true }));
      world.ask();
      rest(world);
      world.versions.push({ state: 'Live', good });
      rest(world);
      const { version, rotation: { phase } = {} } = world.status;
      const said = `${phase} ${version === world.newest ? 'newest' : 'older'}`;
      const expected = good ? 'Complete newest' : 'RolledBack older';
      if (said !== expected) found.push(`seed ${seed}: ${said} instead of ${expected}`);
    }
    expect(found.slice(0, 5)).toEqual([]);
  });
});

/** Everybody does what is due, in turn, for two minutes. */
function rest(world: World): void {
  for (let second = 0; second < 120; second += 2) {
    world.now += 2000;
    world.decide();
    for (const [name, pod] of world.pods) {
      pod.seen = world.status;
      world.read(name);
      world.call(name);
      pod.calls.length = 0;
      world.report(name);
    }
  }
}
