import { sidecarHealthPort, sidecarName } from '@rekey/crds/names.ts';
import { sum } from '../lib/driver.ts';
import type { Driver } from '../lib/driver.ts';
import { fleet } from '../servers/fleet.ts';
import { pods, restarts } from '../lib/kube.ts';
import type { Pod } from '../lib/kube.ts';
import { everyPod, LeakSearch, searchLogs, searchMetrics, searchObjects, searchProcesses } from '../lib/leaks.ts';
import { elapsed, say, step } from '../lib/run.ts';
import { canary } from '../lib/secret.ts';
import type { Source } from '../lib/source.ts';
import type { Stack } from '../lib/stack.ts';
import type { Server } from '../servers/fleet.ts';
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
  const suspended = fleet[2];
  const rolledBack = stack.sources.all.filter(({ versioned }) => versioned).map((source) => toRollBack(stack, source, suspended));
  if (suspended === undefined) throw new Error('the fleet is too small');
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
  const rollbacks = await step(
    `(c) ${rolledBack.map(({ name }) => name).join(', ')} rolled back to the version before by spec.version, and released`,
    () => watching(only(rolledBack), () => Promise.all(rolledBack.map((server) => rollBack(server, stack)))),
  );
  await step(`(d) ${suspended.name} suspended and resumed`, () => watching(only([suspended]), () => suspendAndResume(suspended, driver)));
  const stats = await driver.stop();
  const seconds = (Date.now() - since) / 1000;
  const rotations = [...overlap, ...atOnce, ...rollbacks];
  const rows = await serverRows(stack, stats.servers, rotations);
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

/** kubectl's field selectors know no `or`: of several all are watched. */
const only = (servers: readonly Server[]): string[] =>
  servers.length === 1 ? [...watched, '--field-selector', `metadata.name=${servers[0]?.name}`] : watched;

/** The second server of a source, or the first where it has one: not the one that is to be suspended. */
function toRollBack({ sources }: Stack, source: Source, suspended: Server | undefined): Server {
  const [first, second] = sources.servers(source.name).filter((server) => server !== suspended);
  const server = second ?? first;
  if (server === undefined) throw new Error(`no server reads from ${source.name}`);
  return server;
}

async function serverRows(
  { keys, sources }: Stack,
  servers: Record<string, { calls: number; failed: number; refusedOnPurpose: number }>,
  rotations: readonly RotationResult[],
): Promise<ServerRow[]> {
  const running = await pods('tools');
  const row = async (server: Server): Promise<ServerRow> => {
    const { name } = server;
    const { calls = 0, failed = 0, refusedOnPurpose = 0 } = servers[name] ?? {};
    const own = running.filter(({ metadata }) => metadata.labels?.app === `mcp-${name}`);
    const pinned = rotations.filter(({ credential, kind }) => credential === name && kind === 'rollback').map(({ version }) => version);
    const versions = [...(await keys.versions(server)), ...pinned];
    return {
      server: name,
      source: sources.of(server).name,
      calls,
      failed,
      refusedOnPurpose,
      restarts: own.reduce((total, pod) => total + restarts(pod), 0),
      versions: versions.map((version) => version.slice(0, 6)).join(' → ') + (sources.of(server).versioned ? '' : ' (no versions to pin)'),
    };
  };
  return Promise.all(fleet.map(row));
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
