import { open, readdir, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { containers, kubectl, list } from './kube.ts';
import type { Pod } from './kube.ts';
import { forms } from './secret.ts';
import { sourceLabel } from './sources.ts';
import { ask } from './web.ts';

export interface Leak {
  where: string;
  form: string;
}

/** Looks for a text, in every form in which it could leak, wherever a value must not be. */
export class LeakSearch {
  readonly #forms: { form: string; bytes: Buffer }[];
  readonly leaks: Leak[] = [];
  /** How many bytes were looked at, so that a search that found nothing because it saw nothing is told from one that found nothing. */
  bytes = 0;

  constructor(text: string) {
    this.#forms = forms(text);
  }

  look(where: string, bytes: Buffer): boolean {
    this.bytes += bytes.length;
    const found = this.#forms.filter((form) => bytes.includes(form.bytes));
    for (const { form } of found) this.leaks.push({ where, form });
    return found.length > 0;
  }
}

/** Every object of every kind, as YAML, events among them. */
export async function searchObjects(search: LeakSearch): Promise<void> {
  const kinds = (await kubectl('api-resources', '--verbs=list', '-o', 'name')).split('\n').filter((kind) => kind !== '');
  await fourAtATime(kinds, async (kind) => {
    // A Secret that is a credential's source holds the value, where it belongs.
    const selector = kind === 'secrets' ? ['-l', `!${sourceLabel}`] : [];
    const text = await kubectl('get', kind, '-A', ...selector, '-o', 'yaml', '--ignore-not-found', '--show-managed-fields');
    search.look(`objects ${kind}`, Buffer.from(text));
  });
}

/** The logs of every container of every pod, of earlier runs of it too; the sidecars' hold the audit. */
export async function searchLogs(search: LeakSearch, all: readonly Pod[]): Promise<void> {
  const logs = all.flatMap((pod) => containers(pod).map(({ name, restartCount }) => ({ pod, name, restartCount })));
  await fourAtATime(logs, async ({ pod: { metadata }, name, restartCount }) => {
    const where = ['-n', metadata.namespace, metadata.name, '-c', name];
    search.look(`log ${metadata.namespace}/${metadata.name} ${name}`, Buffer.from(await kubectl('logs', ...where)));
    if (restartCount === 0) return;
    // Of an earlier run the kubelet may have removed the log; then there is nothing to find in it.
    search.look(
      `log before ${metadata.namespace}/${metadata.name} ${name}`,
      Buffer.from(await kubectl('logs', '-p', ...where).catch(() => '')),
    );
  });
}

async function fourAtATime<T>(items: readonly T[], task: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await task(item);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** What the sidecars and the operator tell Prometheus. */
export async function searchMetrics(search: LeakSearch, all: readonly Pod[], port: number): Promise<void> {
  for (const { metadata, status } of all) {
    const { text, status: code } = await ask(`http://${status.podIP}:${port}/metrics`);
    if (code !== 200 || text.length === 0) throw new Error(`no metrics from ${metadata.namespace}/${metadata.name}: ${code}`);
    search.look(`metrics ${metadata.namespace}/${metadata.name}`, Buffer.from(text));
  }
}

/** Environment, command line and writable memory of every process of the named containers. Resolves with the number of processes. */
export async function searchProcesses(search: LeakSearch, all: readonly Pod[], wanted: (container: string) => boolean): Promise<number> {
  const ids = new Map(
    all.flatMap((pod) =>
      containers(pod)
        .filter(({ name }) => wanted(name))
        .map(({ name, containerID }) => [containerID?.replace(/^.*:\/\//u, '') ?? '', `${pod.metadata.name} ${name}`]),
    ),
  );
  let found = 0;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/u.test(name))) {
    const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    const id = [...ids.keys()].find((known) => known !== '' && cgroup.includes(known));
    if (id === undefined) continue;
    found += 1;
    await searchProcess(search, pid, ids.get(id) ?? id);
  }
  return found;
}

async function searchProcess(search: LeakSearch, pid: string, name: string): Promise<void> {
  for (const file of ['environ', 'cmdline'])
    search.look(`${file} of ${name}`, await readFile(`/proc/${pid}/${file}`).catch(() => Buffer.alloc(0)));
  const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '');
  const [memory, pagemap] = await Promise.all(['mem', 'pagemap'].map((file) => open(`/proc/${pid}/${file}`, 'r').catch(() => undefined)));
  try {
    if (memory === undefined || pagemap === undefined) return; // the process has ended since
    const touched = (await Promise.all(writable(maps).map((range) => touchedParts(pagemap, range)))).flat();
    for (const range of touched) await searchRange(search, memory, range, name);
  } finally {
    await memory?.close();
    await pagemap?.close();
  }
}

interface Range {
  from: number;
  to: number;
}

function writable(maps: string): Range[] {
  return [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gmu)].map(([, from, to]) => ({ from: Number(`0x${from}`), to: Number(`0x${to}`) }));
}

const page = 4096;

/** The parts of a range that are in memory or swapped out: what was reserved and never touched holds nothing (proc(5), pagemap: bits 63 and 62). */
async function touchedParts(pagemap: FileHandle, { from, to }: Range): Promise<Range[]> {
  const entries = Buffer.alloc(((to - from) / page) * 8);
  await pagemap.read(entries, 0, entries.length, (from / page) * 8);
  const parts: Range[] = [];
  for (let at = from; at < to; at += page) {
    if (((entries[((at - from) / page) * 8 + 7] ?? 0) & 0xc0) === 0) continue;
    const last = parts.at(-1);
    if (last?.to === at) last.to = at + page;
    else parts.push({ from: at, to: at + page });
  }
  return parts;
}

const chunkSize = 16 * 1024 * 1024;
const buffer = Buffer.allocUnsafe(chunkSize);

async function searchRange(search: LeakSearch, memory: FileHandle, { from, to }: Range, name: string): Promise<void> {
  for (let at = from; at < to; at += chunkSize - page) {
    const { bytesRead } = await memory.read(buffer, 0, Math.min(chunkSize, to - at), at).catch(() => ({ bytesRead: 0 }));
    if (search.look(`memory of ${name}`, buffer.subarray(0, bytesRead)) || bytesRead === 0) return;
  }
}

export async function everyPod(): Promise<Pod[]> {
  return list<Pod>('pods', '-A');
}
