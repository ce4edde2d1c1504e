import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Delivery, Order } from './certificate.ts';

/** Beside this module, as source or bundled. */
const worker = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './tls-worker.ts' : './tls-worker.js', import.meta.url));
const flags = ['--max-old-space-size=32', '--max-semi-space-size=1'];

/**
 * Has certificates made by a process that ends afterwards: the library costs 7.5 MB of private memory in this process, and 13 MB
 * when loaded by a worker thread (the allocator's arenas stay). Takes about 0.2 s, at the first start and once in several days.
 */
export async function issue(order: Order): Promise<Delivery> {
  const child = spawn(process.execPath, [...flags, worker], { stdio: ['pipe', 'pipe', 'inherit'], env: {}, timeout: 30_000 });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {}); // told by the exit code
  child.stdin.end(JSON.stringify(order));
  const [output, code] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) throw new Error(`making certificates failed with exit code ${code}`);
  return JSON.parse(output) as Delivery;
}
