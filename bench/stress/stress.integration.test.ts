import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { defaultLimits } from '../../sidecar/src/limits.ts';

// The shipped bundle as a process with the flags of its image, a real Vault, and an upstream on another address of a network of its own.
const root = fileURLToPath(new URL('../../', import.meta.url));

beforeAll(() => run('bundle.ts', 'sidecar'), 120_000);

async function run(...command: string[]): Promise<string> {
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${said}${complaint}`);
  return said;
}

/** What one case saw: the last line that it says. */
async function seen<T>(name: string): Promise<T> {
  const lines = (await run('bench/stress/main.ts', name)).trim().split('\n');
  return JSON.parse(lines.at(-1) ?? '') as T;
}

test('10,000 calls over 25 rotations with 200 open streams: none fails, and no byte differs from a connection without a sidecar', async () => {
  const { refused, ...rest } = await seen<Record<string, number>>('rotation');
  expect(rest).toEqual({
    calls: 10_000,
    failed: 0,
    differing: 0,
    rotations: 25,
    streams: 200,
    streamsOpenAtTheEnd: 300,
    streamsDiffering: 0,
  });
  // Otherwise it was no test of rotations.
  expect(refused).toBeGreaterThan(25);
}, 300_000);

test('1 GB down and 1 GB up arrive as they were sent, and take no more memory than a few buffers', async () => {
  const { beforeMB, mostMB, ...rest } = await seen<Record<string, number>>('volume');
  expect(rest).toEqual({ downDiffers: false, upDiffers: false });
  expect(Number(mostMB) - Number(beforeMB)).toBeLessThan(32);
}, 300_000);

test('10,000 connections, slow heads, slow bodies and a bomb from the upstream: no other call fails, in 64 MiB', async () => {
  const { failed, clients, givenWay, mostMB } = await seen<{ failed: object } & Record<'clients' | 'givenWay' | 'mostMB', number>>(
    'limits',
  );
  expect(failed).toEqual({});
  expect(clients).toBeLessThanOrEqual(defaultLimits.connections);
  expect(givenWay).toBeGreaterThan(9000);
  expect(mostMB).toBeLessThan(64);
}, 400_000);
