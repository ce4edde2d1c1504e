import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fakeApiServer } from '../sidecar/src/api-server.fake.ts';
import { crowd, round, warmUp, watchMemory } from './compare.ts';
import type { Proxy } from './compare.ts';
import { spreadOf } from './figures.ts';
import type { Round } from './figures.ts';
import { compressedImage } from './image.ts';
import { folder, reenter, startNames } from './namespace.ts';
import { picture } from './picture.ts';
import { mountPod } from './pod.ts';
import { firstCall, root, startSidecar } from './sidecar.ts';
import type { SidecarMeans } from './sidecar.ts';
import { measureIdle, measureStarts } from './starts.ts';
import type { Own } from './table.ts';
import { broken, record, table } from './table.ts';
import { startVault } from './vault.ts';
import { peers, startPeer, startWorld } from './world.ts';
import type { World } from './world.ts';

// `make bench`: the sidecar as it ships against nginx, HAProxy and Envoy, in one run. Writes build/bench.json and docs/bench.svg.
if (folder === undefined) process.exit(await reenter());

const runs = Number(process.env['BENCH_RUNS'] ?? 5);
if (!Number.isInteger(runs) || runs < 1) throw new Error(`BENCH_RUNS is ${process.env['BENCH_RUNS']}: give a whole number, such as 5`);
const secondsEach = 3;
const say = (text: string): void => void process.stdout.write(`[${String(Math.round(performance.now() / 1000)).padStart(3)}s] ${text}\n`);

const world = await startWorld(folder);
await startNames();
const means = await pod(world);
say('starts');
const own: Own = await measureStarts(means, 10);
own.anonIdleMB = spreadOf([await measureIdle(means)]);
own.imageCompressedMB = spreadOf([await compressedImage()]);

const sidecar = await startSidecar(means);
await firstCall();
const proxies: Proxy[] = [{ name: 'rekey', pid: sidecar.pid, port: 443 }];
for (const name of peers) proxies.push({ name, ...(await startPeer(world, name)) });
const most = watchMemory(sidecar.pid);
say('warm-up');
await warmUp(proxies, 2);
const rounds: Round[] = [];
for (let n = 1; n <= runs; n += 1) {
  say(`run ${n} of ${runs}`);
  rounds.push(await round(world, n % 2 === 1 ? proxies : proxies.toReversed(), secondsEach));
}
say('64 large answers at a time');
const [mine] = proxies as [Proxy];
own.anonSaturatedMB = spreadOf([most()]);
await crowd(mine, secondsEach);
own.anonCrowdMB = spreadOf([most()]);

mkdirSync(join(root, 'build'), { recursive: true });
writeFileSync(join(root, 'build/bench.json'), `${JSON.stringify(record(rounds, own), undefined, 2)}\n`);
writeFileSync(join(root, 'docs/bench.svg'), picture(rounds));
const missed = broken(rounds, own);
process.stdout.write(`\n${table(rounds, own)}\n\n${missed.map((sentence) => `missed: ${sentence}\n`).join('')}`);
process.exit(missed.length === 0 ? 0 : 1);

/** A pod whose credential is read from a real Vault. */
async function pod(world: World): Promise<SidecarMeans> {
  const apiServer = await fakeApiServer();
  mountPod((await startVault(world)).place, apiServer);
  return { upstreamCA: world.upstreamCA, apiServerPort: apiServer.server.port };
}
