import { credential, propagated } from './lib/credential.ts';
import { pods, restarts } from './lib/kube.ts';
import type { Driver } from './lib/driver.ts';
import { sum } from './lib/driver.ts';
import { allReady, kill, leader } from './lib/operators.ts';
import { say, until } from './lib/run.ts';
import { connect, startFleet } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';
import { explainIfLate } from './lib/why.ts';
import { fleet } from './servers/fleet.ts';
import type { Server } from './servers/fleet.ts';

// Twenty rounds of five or six servers each: every server is rotated ten times, as often as a status remembers.

const rounds = 20;
/** Offered; a server that is behind is not called more. */
const callsPerSecond = 200;
const even = fleet.filter((_server, index) => index % 2 === 0);
const odd = fleet.filter((server) => !even.includes(server));
let stack: Stack;
let driver: Driver;

beforeAll(async () => {
  stack = await connect();
  driver = await startFleet(stack);
  await allReady();
  for (const server of fleet) await propagated(server.name, (await stack.keys.versions(server)).at(-1) ?? '');
}, 600_000);

/** Rotates these servers, their old keys revoked in the same instant; resolves with the seconds until each one's status said so. */
async function rotate(servers: readonly Server[]): Promise<number[]> {
  const rotations = await Promise.all(servers.map((server) => stack.keys.rotate(server, { revoke: true })));
  const seconds = await Promise.all(
    rotations.map(async ({ server, version, at }) => ((await propagated(server.name, await version(), 60)) - at) / 1000),
  );
  // When all are there: what explains one must not hold up the others.
  for (const [index, { server, at }] of rotations.entries()) await explainIfLate(server.name, 'tools', at, seconds[index] ?? Number.NaN);
  return seconds;
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The same, with the leader killed at some moment from half a second before the writes to a second after them: most take no longer. */
async function rotateAndKill(servers: readonly Server[]): Promise<number[]> {
  const pod = await leader();
  const killing = pause(Math.random() * 1500).then(() => kill(pod));
  await pause(500);
  const seconds = await rotate(servers);
  await killing;
  await allReady();
  return seconds;
}

test('a hundred rotations at 200 calls a second, the old keys revoked in the same instant and the leader killed in half of them', async () => {
  const took = { quiet: [] as number[], killed: [] as number[] };
  await driver.start(callsPerSecond);
  const since = Date.now();
  for (let round = 0; round < rounds; round += 1) {
    const servers = round % 2 === 0 ? even : odd;
    const killing = round % 4 >= 2;
    const seconds = await (killing ? rotateAndKill(servers) : rotate(servers));
    took[killing ? 'killed' : 'quiet'].push(...seconds);
  }
  const stats = await driver.stop();
  const calls = sum(stats, 'calls');
  const rate = calls / ((Date.now() - since) / 1000);
  const worst = (seconds: readonly number[]): string => `${Math.max(...seconds).toFixed(1)} s`;
  say(`${took.quiet.length + took.killed.length} rotations, ${calls} calls, ${rate.toFixed(0)} a second, ${sum(stats, 'failed')} failed`);
  say(`statuses right after ${worst(took.quiet)} at most, with the leader killed after ${worst(took.killed)} at most`);
  expect(Object.values(stats.servers).flatMap(({ failures }) => failures)).toEqual([]);
  expect(sum(stats, 'failed')).toBe(0);
  expect(took.quiet.length + took.killed.length).toBe((rounds / 2) * fleet.length);
  expect(Math.max(...took.quiet)).toBeLessThanOrEqual(10); // the promise of the issue, not a benchmark
  expect(Math.max(...took.killed)).toBeLessThanOrEqual(10);
  // Of what is offered, what the machine has made: eleven servers and their clients share it with the cluster.
  expect(rate).toBeGreaterThan(50);
}, 900_000);

test('the history of each has all of them, and none was restarted', async () => {
  for (const server of fleet) {
    const versions = (await stack.keys.versions(server)).toReversed().slice(0, 10);
    const history = await until(`${server.name}: the last rotation is in the history`, 10, async () => {
      const entries = (await credential(server.name)).status?.history ?? [];
      return entries[0]?.version === versions[0] ? entries : undefined;
    });
    expect(history.map(({ version, result }) => `${version} ${result}`)).toEqual(versions.map((version) => `${version} Complete`));
  }
  expect((await pods('tools')).map(restarts)).toEqual(fleet.map(() => 0));
  expect((await stack.internet.stats()).misplaced).toEqual([]);
}, 120_000);
