import { apiPath } from '@rekey/crds/names.ts';
import { setTimeout as pause } from 'node:timers/promises';
import { admissions } from './admissions.ts';
import type { Call } from './calls.ts';
import { endOf, isRead, isWrite, mostWithin, readCalls } from './calls.ts';
import type { Cluster } from './cluster.ts';
import type { Cost, Rotation, Scale } from './figures.ts';
import { createPods, others, shared, tools } from './fleet.ts';
import type { RunningOperator } from './operator.ts';
import type { Fleet } from './rotation.ts';
import { rotate } from './rotation.ts';

export interface Stage {
  cluster: Cluster;
  operator: RunningOperator;
  fleet: Fleet;
  say: (text: string) => void;
  /** Resident MB of the operator before there was any pod. */
  emptyMB: number;
  idleSeconds: number;
}

const minute = 60_000;
/** Without a write for so long the operator has nothing to do any more. */
const quietMilliseconds = 15_000;

/** Lets the fleet grow to `pods`, and measures what is asked of the operator then. */
export async function measure(stage: Stage, { from, pods }: { from: number; pods: number }): Promise<Scale> {
  const { cluster, operator, say } = stage;
  const first = endOf(cluster.auditLog);
  operator.memory();
  say(`${pods} pods: start`);
  const start = await costOf(stage, () => grow(stage, { from, to: pods }));
  await quiet(cluster);
  const carried = others.map((name, n) => [name, Math.floor((pods - 1 - n) / others.length) + 1] as const);
  const each = new Map(carried.filter(([, count]) => count > 0));
  say(`${pods} pods: one credential of all pods, by poll`);
  const one = await rotation(stage, new Map([[shared, pods]]), false);
  say(`${pods} pods: the same, by push`);
  const push = await rotation(stage, new Map([[shared, pods]]), true);
  say(`${pods} pods: ${each.size} credentials at once`);
  const storm = await rotation(stage, each, false);
  say(`${pods} pods: admissions`);
  const webhook = percentiles(await admissions(cluster));
  say(`${pods} pods: ${stage.idleSeconds} s at rest`);
  await quiet(cluster);
  const { now: settledMB } = operator.memory();
  const idle = await costOf(stage, () => pause(stage.idleSeconds * 1000));
  const calls = await readCalls(cluster.auditLog, first);
  const writesPerSecond = mostWithin(calls.filter(isWrite), minute) / 60;
  const memory = { emptyMB: stage.emptyMB, settledMB, mostMB: operator.memory().most };
  const largestObject = await largest(cluster);
  const restarts = operator.restarts();
  return { pods, restarts, start, one, push, each: storm, idle, memory, writesPerSecond, largestObject, webhook };
}

/** Until every credential says that all its pods use its version. */
async function grow({ cluster }: Stage, { from, to }: { from: number; to: number }): Promise<void> {
  await createPods(cluster, { from, to });
  while ((await bound(cluster)) < to) await pause(1000);
}

interface Credentials {
  metadata: { name: string };
  items: { metadata: { name: string }; status?: { pods?: { bound: number; current: number } } }[];
}

async function bound({ api: { admin } }: Cluster): Promise<number> {
  const list = await admin.read<Credentials>(`${apiPath}/namespaces/${tools}/mcpcredentials`);
  const pods = (list?.items ?? []).map(({ metadata, status }) => ({ name: metadata.name, bound: 0, current: 0, ...status?.pods }));
  if (pods.some((one) => one.current < one.bound)) return 0;
  const own = pods.filter(({ name }) => name !== shared).reduce((sum, one) => sum + one.current, 0);
  return Math.min(own, pods.find(({ name }) => name === shared)?.current ?? 0);
}

async function rotation(stage: Stage, credentials: Map<string, number>, push: boolean): Promise<Rotation> {
  let times = { used: Number.NaN, propagated: Number.NaN };
  const cost = await costOf(stage, async () => {
    times = await rotate(stage.cluster, stage.fleet, { credentials, push });
    await quiet(stage.cluster);
  });
  return { ...times, ...cost };
}

async function costOf({ cluster, operator }: Stage, task: () => Promise<void>): Promise<Cost & { seconds: number }> {
  const [from, cpu, began] = [endOf(cluster.auditLog), operator.cpu(), performance.now()];
  await task();
  const calls = await readCalls(cluster.auditLog, from);
  const seconds = (performance.now() - began) / 1000;
  return { seconds, cpuSeconds: operator.cpu() - cpu, reads: calls.filter(isRead).length, writes: calls.filter(isWrite).length };
}

async function quiet({ auditLog }: Cluster): Promise<void> {
  const lastWrite = (calls: readonly Call[]): number => Math.max(0, ...calls.filter(isWrite).map(({ at }) => at));
  let from = endOf(auditLog);
  let since = Date.now();
  while (Date.now() - since < quietMilliseconds) {
    await pause(1000);
    const calls = await readCalls(auditLog, from);
    from = endOf(auditLog);
    since = Math.max(since, lastWrite(calls));
  }
}

function percentiles(milliseconds: readonly number[]): Scale['webhook'] {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** As the API server stores it, with the owners of its fields. */
async function largest({ api: { admin } }: Cluster): Promise<Scale['largestObject']> {
  let found = { what: '', bytes: 0 };
  for (const plural of ['mcpcredentials', 'mcpcredentialbindings']) {
    const list = await admin.read<Credentials>(`${apiPath}/namespaces/${tools}/${plural}`);
    for (const object of list?.items ?? []) {
      const bytes = Buffer.byteLength(JSON.stringify(object));
      if (bytes > found.bytes) found = { what: `${plural}/${object.metadata.name}`, bytes };
    }
  }
  return found;
}
