import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { spreadOf } from '../figures.ts';
import { memory } from '../process.ts';
import { firstRead, mountPod, startSidecar } from './pod.ts';
import type { Running } from './sources.ts';
import { sources } from './sources.ts';

// `make memory`: the private memory of a sidecar with one credential, at rest after a first read, for each source, and which parts of
// the bundle it loaded. Writes build/memory.json; exits 1 when a bound is broken or a pod loads the code of a source that it does not use.
const root = new URL('../../', import.meta.url).pathname;
const most: Readonly<Record<string, number>> = { kubernetesSecret: 22, vault: 22, awsSecretsManager: 26, gcpSecretManager: 40 };
/** Names of the chunks, as the bundler calls them after their modules. */
const chunkOf: Readonly<Record<string, string>> = {
  kubernetesSecret: 'kubernetes',
  vault: 'vault',
  awsSecretsManager: 'aws',
  gcpSecretManager: 'gcp',
};
const runs = 3;
const restMilliseconds = 10_000;

interface Figure {
  anonMB: number;
  mustMB: number;
  chunks: string[];
}

async function measured(kind: string, start: (folder: string) => Promise<Running>): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), 'rekey-memory-'));
  const running = await start(folder);
  try {
    mountPod(folder, running);
    const figures: number[] = [];
    for (let run = 0; run < runs; run += 1) figures.push(await once(folder, {}, (child) => rest(child)));
    const coverage = join(folder, 'coverage');
    mkdirSync(coverage);
    await once(folder, { NODE_V8_COVERAGE: coverage }, () => Promise.resolve());
    return { anonMB: round(spreadOf(figures).median), mustMB: most[kind] ?? Number.NaN, chunks: chunksIn(coverage) };
  } finally {
    running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function rest(child: ChildProcess): Promise<number> {
  await pause(restMilliseconds);
  return memory(child.pid ?? 0);
}

async function once<T>(folder: string, env: Record<string, string>, look: (child: ChildProcess) => Promise<T>): Promise<T> {
  const child = startSidecar(folder, env);
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await firstRead(child, folder);
    child.stdout?.resume();
    child.stderr?.resume();
    return await look(child);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** The files of the bundle that were run: what V8 counted the coverage of. The certificates' worker is a process of its own. */
function chunksIn(coverage: string): string[] {
  const urls = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url);
  });
  const own = urls.filter((url) => url.includes('/build/sidecar/')).map((url) => url.replace(/^.*\//u, ''));
  return [...new Set(own)].toSorted();
}

function round(number: number): number {
  return Math.round(number * 10) / 10;
}

const strangers = (kind: string, { chunks }: Figure): string[] =>
  Object.entries(chunkOf).flatMap(([other, prefix]) => (other === kind ? [] : chunks.filter((chunk) => chunk.startsWith(`${prefix}-`))));

const figures: Record<string, Figure> = {};
for (const [kind, start] of Object.entries(sources)) {
  const figure = await measured(kind, start);
  figures[kind] = figure;
  process.stdout.write(
    `${kind.padEnd(20)}${figure.anonMB.toFixed(1).padStart(6)} MB   must <= ${figure.mustMB}   ${figure.chunks.join(' ')}\n`,
  );
}
mkdirSync(join(root, 'build'), { recursive: true });
writeFileSync(join(root, 'build/memory.json'), `${JSON.stringify(figures, undefined, 2)}\n`);
const broken = Object.entries(figures).flatMap(([kind, figure]) => [
  ...(figure.anonMB <= figure.mustMB ? [] : [`${kind} takes ${figure.anonMB} MB, more than ${figure.mustMB}`]),
  ...strangers(kind, figure).map((chunk) => `${kind} loads ${chunk}`),
  ...(figure.chunks.some((chunk) => chunk.startsWith(`${chunkOf[kind]}-`))
    ? []
    : [`${kind}: its own chunk was not seen, so the list proves nothing`]),
]);
for (const problem of broken) process.stdout.write(`broken: ${problem}\n`);
process.exitCode = broken.length > 0 ? 1 : 0;
