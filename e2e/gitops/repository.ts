import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { builtProgram, temporaryFolder } from '@rekey/lib/process.real.ts';
import { run } from '../lib/run.ts';

/** What the tools read from in place of a Git server, on loopback: archives of manifests, and a Helm repository. */
export interface Repository {
  url: string;
  /** Resolves with where the archive is and its digest. */
  archive: (name: string, manifests: readonly object[]) => Promise<Archive>;
  /** A new version of the chart NAME, whose manifests these are; resolves with it. */
  chart: (name: string, manifests: readonly object[]) => Promise<string>;
}

interface Archive {
  url: string;
  /** `sha256:HEX`. */
  digest: string;
}

export async function startRepository(endings: AsyncDisposableStack): Promise<Repository> {
  const folder = temporaryFolder('repository');
  const server = createServer((incoming, response) => {
    createReadStream(join(folder, basename(incoming.url ?? '')))
      .on('error', () => response.writeHead(404).end())
      .pipe(response);
  });
  endings.defer(() => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let count = 0;
  const sources = (name: string): string => {
    const sourcesOf = join(folder, `${name}.${(count += 1)}`, name);
    mkdirSync(sourcesOf, { recursive: true });
    return sourcesOf;
  };

  async function archive(name: string, manifests: readonly object[]): Promise<Archive> {
    const from = sources(name);
    writeFileSync(join(from, 'manifests.yaml'), documents(manifests));
    const file = `${name}-${count}.tar.gz`;
    await run('tar', ['-czf', join(folder, file), '-C', from, '.']);
    const digest = createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex');
    return { url: `${url}/${file}`, digest: `sha256:${digest}` };
  }

  async function chart(name: string, manifests: readonly object[]): Promise<string> {
    const from = sources(name);
    const version = `1.0.${count}`;
    writeFileSync(join(from, 'Chart.yaml'), JSON.stringify({ apiVersion: 'v2', name, version }));
    // As a file, since Helm would take braces in a manifest for its own.
    writeFileSync(join(from, 'manifests'), documents(manifests));
    mkdirSync(join(from, 'templates'));
    writeFileSync(join(from, 'templates/all.yaml'), '{{ .Files.Get "manifests" }}');
    await run(helm, ['package', from, '--destination', folder]);
    await run(helm, ['repo', 'index', folder]);
    return version;
  }

  return { url, archive, chart };
}

const helm = builtProgram('helm');
const documents = (manifests: readonly object[]): string => manifests.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join('');
