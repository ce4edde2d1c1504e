import { sidecarHealthPort, sidecarName } from '@rekey/crds/names.ts';
import { sum } from '../lib/driver.ts';
import type { Driver } from '../lib/driver.ts';
import { credential, fleet } from '../lib/fleet.ts';
import { pods, restarts } from '../lib/kube.ts';
import type { Pod } from '../lib/kube.ts';
import { everyPod, LeakSearch, searchLogs, searchMetrics, searchObjects, searchProcesses } from '../lib/leaks.ts';
import { elapsed, say, step } from '../lib/run.ts';
import { canary } from '../lib/secret.ts';
import type { Stack } from '../lib/stack.ts';
import { rollBack, rotateAll, suspendAndResume } from './acts.ts';
import type { Report, RotationResult, ServerRow } from './report.ts';
import { watching } from './watch.ts';

export const rate = 66;
const watched = ['mcpcred', '-n', 'tools'];

export interface Played {
  report: Report;
  rows: ServerRow[];
  failures: unknown[];
}

/** The main job, under traffic: two rotations of every credential, one rolled back, one suspended and resumed; then the search for leaked values. */
export async function play(stack: Stack, driver: Driver): Promise<Played> {
  const [, second, third] = fleet;
  if (second === undefined || third === undefined) throw new Error('the fleet is too small');
  await driver.start(rate);
  const since = Date.now();
  say(`${elapsed()} the MCP clients call ${fleet.length} servers, ${rate} calls/s in all`);
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const overlap = await step('(a) every credential rotated, the old ones still valid', () =>
    watching(watched, () => rotateAll(stack, 'overlap')),
  );
  const atOnce = await step('(b) every credential rotated, the old ones revoked in the same instant', () =>
    watching(watched, () => rotateAll(stack, 'revoked at once')),
  );
  const rollback = await step(`(c) ${second.name} rolled back to version 1 by spec.version, and released`, () =>
    watching(only(second.name), async () => rollBack(second, '1', (await credential(second.name)).status?.version ?? '')),
  );
  await step(`(d) ${third.name} suspended and resumed`, () => watching(only(third.name), () => suspendAndResume(third, driver)));
  const stats = await driver.stop();
  const seconds = (Date.now() - since) / 1000;
  const rotations = [...overlap, ...atOnce, rollback];
  const rows = await serverRows(stats.servers, rotations);
  const search = await step('the search for leaked values', searchEverywhere);
  const { misplaced } = await stack.internet.stats();
  const calls = sum(stats, 'calls');
  const report: Report = {
    servers: rows.length,
    calls,
    callsPerSecond: Math.round(calls / seconds),
    failed: sum(stats, 'failed'),
    refusedOnPurpose: sum(stats, 'refusedOnPurpose'),
    restarts: rows.reduce((total, row) => total + row.restarts, 0),
    rotations,
    leaks: [...search.leaks, ...misplaced.map(() => ({ where: 'a request, at another place or to another host', form: 'raw' }))],
    searchedMegabytes: Math.round(search.bytes / 1e6),
  };
  return { report, rows, failures: Object.values(stats.servers).flatMap(({ failures }) => failures.slice(0, 3)) };
}

const only = (name: string): string[] => [...watched, '--field-selector', `metadata.name=${name}`];

async function serverRows(
  servers: Record<string, { calls: number; failed: number; refusedOnPurpose: number }>,
  rotations: readonly RotationResult[],
): Promise<ServerRow[]> {
  const running = await pods('tools');
  return fleet.map(({ name }) => {
    const { calls = 0, failed = 0, refusedOnPurpose = 0 } = servers[name] ?? {};
    const own = running.filter(({ metadata }) => metadata.labels?.app === `mcp-${name}`);
    const versions = ['1', ...rotations.filter((rotation) => rotation.credential === name).map(({ version }) => version)];
    return {
      server: name,
      calls,
      failed,
      refusedOnPurpose,
      restarts: own.reduce((total, pod) => total + restarts(pod), 0),
      versions: versions.join(' → '),
    };
  });
}

async function searchEverywhere(): Promise<LeakSearch> {
  const search = new LeakSearch(canary);
  const all = await everyPod();
  const servers = all.filter(({ metadata }) => metadata.namespace === 'tools');
  await searchObjects(search);
  await searchLogs(search, all);
  await searchMetrics(search, servers, sidecarHealthPort);
  const processes = await searchProcesses(search, servers, (container) => container !== sidecarName);
  if (processes < fleet.length) throw new Error(`only ${processes} processes of MCP servers were found to search`);
  await control(servers);
  return search;
}

/** The same search must find the values in the sidecars, where they belong: otherwise it proves nothing. */
async function control(servers: readonly Pod[]): Promise<void> {
  const positive = new LeakSearch(canary);
  await searchProcesses(positive, servers, (container) => container === sidecarName);
  if (positive.leaks.length === 0)
    throw new Error('the search did not find the values in the sidecars, so it cannot be trusted to find them elsewhere');
}
