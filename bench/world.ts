import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtProgram } from '@rekey/lib/process.real.ts';
import { issue } from '../sidecar/src/tls/issue.ts';
import { address, cores, host } from './namespace.ts';
import { listening, startOn } from './process.ts';

const value = `sk-bench-${randomBytes(16).toString('hex')}`;

/** What all proxies of a run share: an upstream that checks the credential, certificates, and the credential's value. */
export interface World {
  folder: string;
  value: string;
  /** PEM: what the upstream's certificate verifies with. */
  upstreamCA: string;
}

export async function startWorld(folder: string): Promise<World> {
  const upstream = await issue({ hosts: [host], now: Date.now() });
  const peer = await issue({ hosts: [host], now: Date.now() });
  const files = {
    'upstream-ca.crt': upstream.ca.certificate,
    'upstream.crt': upstream.leaf.certificate,
    'upstream.key': upstream.leaf.key,
    'peer.crt': peer.leaf.certificate,
    'peer.key': peer.leaf.key,
    'peer.pem': `${peer.leaf.certificate}\n${peer.leaf.key}`,
    'large.json': list(3500).slice(0, 262_144),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const world = { folder, value, upstreamCA: upstream.ca.certificate };
  const server = startOn(cores.others, ['nginx', '-e', 'stderr', '-c', configuration(world, 'upstream', 443)]);
  await listening(server, address, 443);
  return world;
}

/** An answer as an API gives it: some 1 KB for 13 items. */
function list(length: number): string {
  const items = Array.from({ length }, (_, id) => ({
    id: 1000 + id,
    name: `item-${id}`,
    state: 'open',
    owner: `user${id}`,
    score: 7 * id,
  }));
  return JSON.stringify({ ok: true, page: 1, items });
}

export const peers = ['envoy', 'nginx', 'haproxy'] as const;
export type Peer = (typeof peers)[number];

const ports: Record<Peer, number> = { envoy: 8401, nginx: 8101, haproxy: 8201 };
/** Envoy goes by the name's end. */
const templates = { envoy: 'envoy.yaml', nginx: 'nginx.conf', haproxy: 'haproxy.cfg', upstream: 'upstream.conf' };
const commands: Record<Peer, (configuration: string) => string[]> = {
  envoy: (path) => [builtProgram('envoy'), '-c', path, '--concurrency', '1', '-l', 'error', '--disable-hot-restart'],
  nginx: (path) => ['nginx', '-e', 'stderr', '-c', path],
  haproxy: (path) => ['haproxy', '-db', '-f', path],
};

/** Another proxy that writes the same value into the same header, in front of the same upstream. */
export async function startPeer(world: World, peer: Peer): Promise<{ pid: number; port: number }> {
  const port = ports[peer];
  const child = startOn(cores.proxy, commands[peer](configuration(world, peer, port)));
  await listening(child, '127.0.0.1', port);
  return { pid: child.pid ?? 0, port };
}

function configuration(world: World, name: keyof typeof templates, port: number): string {
  const words: Record<string, string> = {
    ADDRESS: address,
    ANSWER: list(13),
    FOLDER: world.folder,
    HOST: host,
    PORT: String(port),
    VALUE: world.value,
  };
  const template = readFileSync(new URL(`peer/${templates[name]}`, import.meta.url), 'utf8');
  const path = join(world.folder, templates[name]);
  writeFileSync(
    path,
    template.replaceAll(/@([A-Z]+)@/gu, (whole, word: string) => words[word] ?? whole),
  );
  return path;
}
