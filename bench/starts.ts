import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { spreadOf } from './figures.ts';
import type { OwnKey, Spread } from './figures.ts';
import { cores } from './namespace.ts';
import { memory, startOn, stop } from './process.ts';
import { firstCall, flags, startSidecar, variables } from './sidecar.ts';
import type { SidecarMeans } from './sidecar.ts';

/** How long a sidecar is left alone before its memory counts: its start has been collected by then, and its watches are up. */
export const settleMilliseconds = 10_000;

/** The figures of a sidecar that starts, in the pod that is mounted. The first start makes the pod's CA, the others find it. */
export async function measureStarts(means: SidecarMeans, times: number): Promise<Partial<Record<OwnKey, Spread>>> {
  const first = await start(means);
  const again: Start[] = [];
  const empty: number[] = [];
  for (let n = 0; n < times; n += 1) {
    again.push(await start(means));
    empty.push(await startEmpty());
  }
  return {
    firstStartMs: spreadOf([first.startMilliseconds]),
    startMs: spreadOf(again.map(({ startMilliseconds }) => startMilliseconds)),
    firstCredentialMs: spreadOf(again.map(({ credentialMilliseconds }) => credentialMilliseconds)),
    emptyStartMs: spreadOf(empty),
  };
}

interface Start {
  startMilliseconds: number;
  credentialMilliseconds: number;
}

async function start(means: SidecarMeans): Promise<Start> {
  const since = performance.now();
  const sidecar = await startSidecar(means);
  await firstCall();
  const credentialMilliseconds = performance.now() - since;
  await sidecar.stop();
  return { startMilliseconds: sidecar.startMilliseconds, credentialMilliseconds };
}

/** Node with the same flags and an empty program, in the same minute: what the machine takes for nothing. */
async function startEmpty(): Promise<number> {
  const program = 'process.stdout.write(String(performance.now())); setTimeout(() => {}, 60_000)';
  const child = startOn(cores.proxy, [process.execPath, ...flags, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: variables,
  });
  const [said] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  await stop(child);
  return Number(said);
}

/** Private memory of a sidecar that has read its credential once, in MB. */
export async function measureIdle(means: SidecarMeans): Promise<number> {
  const sidecar = await startSidecar(means);
  await firstCall();
  await pause(settleMilliseconds);
  const idle = memory(sidecar.pid);
  await sidecar.stop();
  return idle;
}
