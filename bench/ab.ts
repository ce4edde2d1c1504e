import { execFileSync, spawn } from 'node:child_process';
import { fakeApiServer } from '../sidecar/src/api-server.fake.ts';
import { folder, reenter, startNames, cores } from './namespace.ts';
import { load } from './load.ts';
import { mountPod, placeholder } from './pod.ts';
import { cpu, memory } from './process.ts';
import { firstCall, startSidecar, root } from './sidecar.ts';
import { startVault } from './vault.ts';
import { startPeer, startWorld } from './world.ts';
if (folder === undefined) process.exit(await reenter());
const world = await startWorld(folder);
await startNames();
const apiServer = await fakeApiServer();
mountPod((await startVault(world)).place, apiServer);
const seconds = Number(process.env['AB_SECONDS'] ?? 2);
const runs = Number(process.env['AB_RUNS'] ?? 3);
const perf = process.env['AB_PERF'];
const builds = (process.env['AB_BUILDS'] ?? 'build/sidecar').split(',');
const envoy = process.env['AB_ENVOY'] === '0' ? undefined : await startPeer(world, 'envoy');
const nginx = process.env['AB_NGINX'] ? await startPeer(world, 'nginx') : undefined;
const shapes = {
  small16: { connections: 16, path: '/v1/items?page=1' },
  large16: { connections: 16, path: '/v1/large' },
  small1: { connections: 1, path: '/v1/items?page=1' },
} as const;
const wanted = (process.env['AB_SHAPES'] ?? 'small16').split(',') as (keyof typeof shapes)[];
async function sample(pid: number, port: number, shape: keyof typeof shapes) {
  const before = cpu(pid);
  const l = await load({ port, ...shapes[shape], seconds, authorization: placeholder });
  return { cpu: (cpu(pid) - before) / 1000 / l.requests, rps: l.requestsPerSecond, p50: l.p50 };
}
const fmt = (s: { cpu: number; rps: number; p50: number }) => `${s.cpu.toFixed(1)}us ${s.rps.toFixed(0)}/s p50 ${s.p50}`;
for (let round = 0; round < Number(process.env['AB_ROUNDS'] ?? 1); round++)
  for (const build of builds) {
    execFileSync('rm', ['-rf', `${root}build/sidecar`]);
    execFileSync('cp', ['-r', build.startsWith('/') ? build : `${root}${build}`, `${root}build/sidecar`]);
    const more = perf
      ? ['--perf-basic-prof', '--interpreted-frames-native-stack']
      : (process.env['AB_FLAGS'] ?? '').split(' ').filter(Boolean);
    const sidecar = await startSidecar({ upstreamCA: world.upstreamCA, apiServerPort: apiServer.server.port, more });
    await firstCall();
    for (const shape of wanted) {
      await load({ port: 443, ...shapes[shape], seconds: 3, authorization: placeholder });
      if (envoy && round === 0 && build === builds[0])
        await load({ port: envoy.port, ...shapes[shape], seconds: 1, authorization: placeholder });
    }
    execFileSync('touch', ['/tmp/perf/go']);
    for (const shape of wanted) {
      const ratios: number[][] = [];
      for (let n = 0; n < runs; n++) {
        const mine = await sample(sidecar.pid, 443, shape);
        const ng = nginx ? await sample(nginx.pid, nginx.port, shape) : undefined;
        if (envoy === undefined) {
          process.stdout.write(`${build} ${shape} ${fmt(mine)}\n`);
          continue;
        }
        const theirs = await sample(envoy.pid, envoy.port, shape);
        ratios.push([mine.cpu / theirs.cpu, mine.rps / theirs.rps, mine.p50 / theirs.p50]);
        process.stdout.write(
          `${build} ${shape} ${fmt(mine)} | envoy ${fmt(theirs)} | ${ratios
            .at(-1)!
            .map((r) => r.toFixed(2))
            .join(' ')}${ng ? ` | nginx ${fmt(ng)}` : ''} mem ${memory(sidecar.pid).toFixed(1)}\n`,
        );
      }
    }
    if (perf) {
      const p = spawn('perf', ['record', '-F', '2999', '-g', '-C', '0', '-o', perf, '--', 'sleep', '3'], { stdio: 'inherit' });
      const ended = new Promise((r) => p.once('exit', r));
      await load({ port: 443, ...shapes[wanted[0]!], seconds: 5, authorization: placeholder });
      await ended;
    }
    await sidecar.stop();
  }
process.exit(0);
