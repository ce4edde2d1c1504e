import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { sidecarHealthPort } from '@rekey/crds/names.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';

// `make bench`: what one sidecar costs a pod. Starts the bundle as its image does, with one credential of a Vault that is not there, and prints
// how long it takes until its door is open and how much private memory it then holds.
const root = new URL('../', import.meta.url).pathname;
const starts = 10;
const port = 18_443; // not 443, so that no right is needed

const limits = { start: { must: 80, aim: 40 }, memory: { must: 20, aim: 14 } };

const snapshot: Snapshot = {
  credentials: [
    {
      name: 'github',
      spec: {
        source: { vault: { path: 'mcp/github', key: 'token' } },
        storeRef: { name: 'default' },
        version: '',
        hosts: [`api.github.com:${port}`],
        inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
        refused: [{ status: 401 }],
        env: [{ name: 'GITHUB_PERSONAL_ACCESS_TOKEN' }],
        podSelector: { matchLabels: { app: 'mcp-github' } },
        cacheTTLSeconds: 60,
        maxStaleSeconds: 300,
        suspend: false,
      },
    },
  ],
  stores: [
    {
      name: 'default',
      spec: {
        vault: {
          address: 'https://127.0.0.1:1',
          mount: 'kv',
          auth: { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } },
        },
        pollIntervalSeconds: 10,
      },
    },
  ],
};

/** The folders that a pod mounts at /run/rekey. */
function pod(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rekey-bench-'));
  for (const name of ['ca', 'trust', 'identity/api', 'identity/pod', 'identity/source/default'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'identity/pod/snapshot'), JSON.stringify(snapshot));
  writeFileSync(join(folder, 'identity/api/token'), 'none');
  writeFileSync(join(folder, 'identity/source/default/token'), 'none');
  return folder;
}

/** Node's flags, as the sidecar's image has them. */
function flags(): string[] {
  const entrypoint = readFileSync(join(root, 'Dockerfile'), 'utf8')
    .split('\n')
    .findLast((line) => line.startsWith('ENTRYPOINT'));
  return (JSON.parse(entrypoint?.slice('ENTRYPOINT '.length) ?? '[]') as string[]).filter((word) => word.startsWith('--'));
}

/** Starts the sidecar in a mount namespace of its own, where `folder` is /run/rekey. */
function start(folder: string): ChildProcess {
  const inside = 'mount -t tmpfs tmpfs /run && mkdir /run/rekey && mount --bind "$0" /run/rekey && exec "$@"';
  const command = [process.execPath, ...flags(), join(root, 'build/sidecar/main.js')];
  return spawn('unshare', ['--map-root-user', '--mount', 'bash', '-c', inside, folder, ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      REKEY_NAMESPACE: 'tools',
      REKEY_POD: 'mcp-github-0',
      REKEY_POD_UID: 'c0ffee',
      REKEY_SERVICE_ACCOUNT: 'default',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: '1',
    },
  });
}

/** Milliseconds from the start of the process until its door was open, by its own log. */
async function listening({ stderr }: ChildProcess): Promise<number> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr as NodeJS.ReadableStream })) {
    said.push(line);
    const { message, milliseconds } = line.startsWith('{') ? (JSON.parse(line) as { message: string; milliseconds: number }) : {};
    if (message === 'listening' && milliseconds !== undefined) return milliseconds;
  }
  throw new Error(`the sidecar did not start:\n${said.join('\n')}`);
}

/** Private memory in MB: what a further pod on the same node costs, since files are shared. */
function memory(pid: number): number {
  const kilobytes = /^Anonymous:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

async function scrape(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${sidecarHealthPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  return response.text();
}

interface Run {
  milliseconds: number;
  idle: number;
  scraped: number;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function measure(folder: string, idleMilliseconds: number): Promise<Run> {
  const child = start(folder);
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    const milliseconds = await listening(child);
    void text(child.stderr as NodeJS.ReadableStream & AsyncIterable<string>).catch(() => undefined);
    await pause(idleMilliseconds);
    const idle = memory(child.pid ?? 0);
    await scrape();
    return { milliseconds, idle, scraped: memory(child.pid ?? 0) };
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** Node with the same flags and an empty program, in the same minute: what the machine takes for nothing. */
async function alone(): Promise<Pick<Run, 'milliseconds' | 'idle'>> {
  const program = 'process.stdout.write(String(performance.now())); setTimeout(() => {}, 60_000)';
  const child = spawn(process.execPath, [...flags(), '-e', program], { stdio: ['ignore', 'pipe', 'inherit'], env: {} });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  await pause(500);
  const idle = memory(child.pid ?? 0);
  child.kill('SIGKILL');
  await ended;
  return { milliseconds: Number(said), idle };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function row(name: string, figure: number, unit: string, limit?: { must: number; aim: number }): void {
  const bounds = limit === undefined ? '' : `   must <= ${limit.must}, aim <= ${limit.aim}`;
  process.stdout.write(`${name.padEnd(50)}${figure.toFixed(1).padStart(8)} ${unit}${bounds}\n`);
}

const folder = pod();
try {
  const first = await measure(folder, 3000);
  const again: Run[] = [];
  const empty: Pick<Run, 'milliseconds' | 'idle'>[] = [];
  for (let n = 0; n < starts; n += 1) {
    again.push(await measure(folder, n === 0 ? 10_000 : 500));
    empty.push(await alone());
  }
  row("first start to open door, making the pod's CA", first.milliseconds, 'ms');
  row(`an empty program to its first line, median of ${starts}`, median(empty.map(({ milliseconds }) => milliseconds)), 'ms');
  row(`start to open door, median of ${starts}`, median(again.map(({ milliseconds }) => milliseconds)), 'ms', limits.start);
  row('private memory of an empty program', median(empty.map(({ idle }) => idle)), 'MB');
  row('private memory, idle for 10 s', again[0]?.idle ?? Number.NaN, 'MB', limits.memory);
  row('private memory after the first scrape', again[0]?.scraped ?? Number.NaN, 'MB');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
