import type { Peer, Round, Sample, Shape, Shapes } from './figures.ts';
import { load } from './load.ts';
import type { Loaded } from './load.ts';
import { address } from './namespace.ts';
import { placeholder } from './pod.ts';
import { cpu, memory } from './process.ts';
import { scrape } from './sidecar.ts';
import type { World } from './world.ts';

export interface Proxy {
  name: 'rekey' | Peer;
  pid: number;
  port: number;
}

const small = '/v1/items?page=1';
const loads: Record<Shape, { connections: number; path: string }> = {
  small16: { connections: 16, path: small },
  small1: { connections: 1, path: small },
  large16: { connections: 16, path: '/v1/large' },
  small64: { connections: 64, path: small },
};
const shapes = Object.keys(loads) as Shape[];

/** Both engines and caches are warm before anything counts: a proxy runs for weeks. */
export async function warmUp(proxies: readonly Proxy[], seconds: number): Promise<void> {
  for (const { port } of proxies) {
    for (const shape of shapes) await load({ port, ...loads[shape], seconds, authorization: placeholder });
  }
}

/** One round, in the given order under each load, so that what is compared lies seconds apart. */
export async function round(world: World, proxies: readonly Proxy[], seconds: number): Promise<Round> {
  const samples = new Map(proxies.map(({ name }) => [name, {} as Shapes]));
  let straight = Number.NaN;
  for (const shape of shapes) {
    if (shape === 'small1') straight = (await straightLoad(world, seconds)).p50;
    for (const proxy of proxies) Object.assign(samples.get(proxy.name) ?? {}, { [shape]: await sample(proxy, shape, seconds) });
  }
  await scrape();
  const of = (name: Proxy['name']): Shapes => samples.get(name) as Shapes;
  return { rekey: of('rekey'), peers: { envoy: of('envoy'), nginx: of('nginx'), haproxy: of('haproxy') }, straight };
}

async function sample({ pid, port }: Proxy, shape: Shape, seconds: number): Promise<Sample> {
  const before = cpu(pid);
  const { requests, requestsPerSecond, p50 } = await load({ port, ...loads[shape], seconds, authorization: placeholder });
  return { cpu: (cpu(pid) - before) / 1000 / requests, requestsPerSecond, p50 };
}

/** To the upstream itself, which wants the value. */
function straightLoad({ value }: World, seconds: number): Promise<Loaded> {
  return load({ port: 443, ...loads.small1, seconds, authorization: `Bearer ${value}`, address });
}

/** The most private memory that the process had in the meantime, looked at ten times a second. */
export function watchMemory(pid: number): () => number {
  let most = memory(pid);
  setInterval(() => {
    most = Math.max(most, memory(pid));
  }, 100);
  return () => most;
}

/** Many large answers at once: what a busy server does to the sidecar's memory. */
export async function crowd({ port }: Proxy, seconds: number): Promise<void> {
  await load({ port, connections: 64, seconds, path: loads.large16.path, authorization: placeholder });
}
