import { execFileSync } from 'node:child_process';
import { createGzip } from 'node:zlib';
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { bundle } from './sidecar.ts';

/** Megabytes that a node pulls for the sidecar's image: what the Dockerfile copies into an empty file system, as a registry keeps it. */
export async function compressedImage(): Promise<number> {
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+/gu) ?? [];
  const files = [process.execPath, ...new Set(libraries)];
  const archive = spawn('tar', ['--dereference', '--absolute-names', '-c', '-C', dirname(bundle), 'sidecar', ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let bytes = 0;
  for await (const chunk of archive.stdout.pipe(createGzip({ level: 6 }))) bytes += (chunk as Buffer).length;
  return bytes / 1_000_000;
}
