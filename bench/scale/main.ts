import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { adminToken } from '../../operator/src/controller/api-server.real.ts';
import { startCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { Scale } from './figures.ts';
import { linesOf, table } from './figures.ts';
import { createCredentials, knownVersions, tools } from './fleet.ts';
import { measure } from './measure.ts';
import { startOperator } from './operator.ts';
import { picture } from './picture.ts';
import { follow } from './rotation.ts';
import type { Fleet } from './rotation.ts';
import type { Means } from './requester.ts';
import type { Used } from './sidecars.ts';

// `make bench-scale`: the shipped operator with a fleet that grows. Writes build/scale.json, in which a run of other numbers of pods stays, and docs/scale.svg.
const sizes = (process.env['SCALE_PODS'] ?? '100,1000,5000').split(',').map(Number);
const idleSeconds = Number(process.env['SCALE_IDLE'] ?? 180);
if (![...sizes, idleSeconds].every((number) => Number.isInteger(number) && number > 0))
  throw new Error(`SCALE_PODS is ${sizes.join()} and SCALE_IDLE ${idleSeconds}: give whole numbers, such as 100,1000 and 180`);
/** Within which a new operator has listed everything and looked at it once. */
const listMilliseconds = 20_000;
const root = new URL('../..', import.meta.url).pathname;
const results = join(root, 'build/scale.json');
const say = (text: string): void => void process.stdout.write(`[${String(Math.round(performance.now() / 1000)).padStart(3)}s] ${text}\n`);

if (process.env['REKEY_SCALE_INSIDE'] === undefined) process.exit(await reenter());
const cluster = await startCluster();
const ended = new AbortController();
const fleet = follow(cluster, ended.signal);
await createCredentials(cluster);
const sidecars = playSidecars(cluster, fleet);
let from = 0;
let operator = await startOperator(cluster);
await knownVersions(cluster);
const { now: emptyMB } = operator.memory();
for (const pods of sizes) {
  const scale = await measure({ cluster, operator, fleet, say, emptyMB, idleSeconds }, { from, pods });
  say(`${pods} pods: a new operator`);
  await operator.stop();
  operator = await startOperator(cluster);
  await pause(listMilliseconds);
  from = pods;
  scale.memory.mostMB = Math.max(scale.memory.mostMB, operator.memory().most);
  keep(scale);
}
await operator.stop();
ended.abort();
sidecars.disconnect();
await cluster.stop();

const scales = kept();
if (scales.length > 1) writeFileSync(join(root, 'docs/scale.svg'), picture(scales));
process.stdout.write(`\n${table(scales)}\n`);
process.exit(linesOf(scales).some(({ met }) => met === 'missed') ? 1 : 0);

/** What was measured, by this run and by earlier ones of other numbers of pods. */
function kept(): Scale[] {
  return existsSync(results) ? (JSON.parse(readFileSync(results, 'utf8')) as Scale[]) : [];
}

function keep(scale: Scale): void {
  const others = kept().filter(({ pods }) => pods !== scale.pods);
  mkdirSync(join(root, 'build'), { recursive: true });
  writeFileSync(
    results,
    `${JSON.stringify(
      [...others, scale].toSorted((a, b) => a.pods - b.pods),
      undefined,
      2,
    )}\n`,
  );
}

/** This very program again as the first process of its own: whatever it starts ends with it. */
async function reenter(): Promise<number> {
  const namespaces = ['--map-root-user', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...namespaces, process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, REKEY_SCALE_INSIDE: '1' },
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

function playSidecars({ api, vault }: Cluster, { hear }: Fleet): { disconnect: () => void } {
  const child = fork(new URL('sidecars.ts', import.meta.url).pathname);
  child.on('message', (used) => hear(used as Used));
  const place = { address: vault.address, ca: vault.caBundle, token: 'root' };
  child.send({ address: api.address, ca: api.ca, adminToken, namespace: tools, vault: place } satisfies Means);
  return child;
}
