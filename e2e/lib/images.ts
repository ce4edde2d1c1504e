import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { home, root, run, step } from './run.ts';

interface Image {
  name: string;
  dockerfile: string;
  context: string;
  target?: string;
  /** What the image is made from: git paths below the root. */
  inputs: string[];
}

const product = ['Dockerfile', 'bundle.ts', 'package.json', 'package-lock.json', 'tsconfig.json', 'lib', 'crds'];

export const images = {
  operator: { name: 'rekey.test/operator', dockerfile: 'Dockerfile', context: '.', target: 'operator', inputs: [...product, 'operator'] },
  sidecar: { name: 'rekey.test/sidecar', dockerfile: 'Dockerfile', context: '.', target: 'sidecar', inputs: [...product, 'sidecar'] },
  servers: {
    name: 'rekey.test/mcp-servers',
    dockerfile: 'e2e/servers/Dockerfile',
    context: 'e2e/servers',
    inputs: ['e2e/servers/Dockerfile', 'e2e/servers/package.json', 'e2e/servers/package-lock.json'],
  },
  aws: { name: 'rekey.test/aws', dockerfile: 'e2e/clouds/Dockerfile', context: 'e2e/clouds', target: 'aws', inputs: ['e2e/clouds'] },
  gcp: { name: 'rekey.test/gcp', dockerfile: 'e2e/clouds/Dockerfile', context: 'e2e/clouds', target: 'gcp', inputs: ['e2e/clouds'] },
  internet: { name: 'rekey.test/internet', dockerfile: 'e2e/internet/Dockerfile', context: 'e2e/internet', inputs: ['e2e/internet'] },
  client: {
    name: 'rekey.test/client',
    dockerfile: 'e2e/client/Dockerfile',
    context: 'e2e',
    inputs: ['e2e/client', 'e2e/servers/calls.ts', 'e2e/servers/fleet.ts'],
  },
} as const satisfies Record<string, Image>;

export type ImageName = keyof typeof images;

/** Builds and loads the images whose sources have changed since they were last loaded; resolves with each one's full name. The tag is a hash of the sources. */
export async function ensureImages(names: readonly ImageName[]): Promise<Record<ImageName, string>> {
  const full = {} as Record<ImageName, string>;
  for (const name of names) full[name] = await ensure(images[name]);
  return full;
}

async function ensure(image: Image): Promise<string> {
  const full = `${image.name}:${await tag(image.inputs)}`;
  const stamp = join(home, 'run/loaded', full.replaceAll('/', '_'));
  if (existsSync(stamp)) return full;
  await step(`image ${image.name}`, async () => {
    await run('e2e/cluster/image', [
      full,
      image.dockerfile,
      image.context,
      ...(image.target === undefined ? [] : ['--target', image.target]),
    ]);
    await run('e2e/cluster/load', [full]);
  });
  await mkdir(dirname(stamp), { recursive: true });
  await writeFile(stamp, '');
  return full;
}

async function tag(inputs: readonly string[]): Promise<string> {
  const files = (await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...inputs]))
    .split('\n')
    .filter((file) => file !== '' && !file.endsWith('.test.ts'));
  const hash = createHash('sha256');
  for (const file of [...new Set(files)].sort()) {
    if (!existsSync(join(root, file))) continue;
    hash.update(`${file}\0`);
    hash.update(await readFile(join(root, file)));
  }
  return hash.digest('hex').slice(0, 12);
}
