import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clientObjects } from '../client/objects.ts';
import { internetObjects } from '../internet/objects.ts';
import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import { credentialObject, serverObjects } from '../servers/objects.ts';
import { AWS, awsSource, awsUp } from './aws.ts';
import { GCP, gcpSource, gcpUp } from './gcp.ts';
import { Driver } from './driver.ts';
import { Keys } from './keys.ts';
import { ensureImages } from './images.ts';
import type { ImageName } from './images.ts';
import { Internet } from './internet.ts';
import { apply, get, isReady, kubeconfig, kubectl, pods } from './kube.ts';
import { elapsed, home, run, say, step, until } from './run.ts';
import type { Source, SourceName } from './source.ts';
import { kubernetesSource, Sources, vaultSource } from './sources.ts';
import { Vault } from './vault.ts';

export interface Stack {
  vault: Vault;
  internet: Internet;
  keys: Keys;
  sources: Sources;
}

/** Whose pods may read values: the fleet's and the tests' own. */
const namespaces = [
  'tools',
  'e2e-bad',
  'e2e-faults',
  'e2e-admission',
  'e2e-identity',
  'e2e-rotation',
  'e2e-availability',
  'e2e-optin',
  'e2e-workloads',
  'e2e-neighbours',
  'e2e-gitops',
];

type Images = Record<ImageName, string>;

/** The cluster with Vault, Rekey by its chart, and the upstreams. Safe to call again: what is there and right stays. */
export async function bringUp(names: readonly SourceName[]): Promise<Stack> {
  await run('e2e/cluster/up', [], { show: true });
  const images = await ensureImages(['operator', 'sidecar', 'servers', 'internet', 'client']);
  await step('Vault', () => run('e2e/cluster/vault/up', [], { show: true, env: { REKEY_E2E_NAMESPACES: namespaces.join(',') } }));
  const vault = await Vault.connect();
  const publicCa = await step('the upstreams', () => upstreams(images));
  await step('Rekey, by its chart', () => chart(images, vault.ca, publicCa));
  if (names.includes('aws')) await withAWS(publicCa);
  if (names.includes('gcp')) await withGCP(publicCa);
  return connect(names);
}

async function withAWS(publicCa: string): Promise<void> {
  const { aws } = await ensureImages(['aws']);
  await step('AWS', () => awsUp(aws, publicCa));
}

async function withGCP(publicCa: string): Promise<void> {
  const { gcp } = await ensureImages(['gcp']);
  await step('GCP', () => gcpUp(gcp, publicCa));
}

/** What `bringUp` left running. */
export async function connect(names: readonly SourceName[] = ['vault']): Promise<Stack> {
  const [vault, internet] = await Promise.all([Vault.connect(), Internet.connect()]);
  const open: Record<SourceName, () => Promise<Source>> = {
    vault: () => Promise.resolve(vaultSource(vault)),
    aws: async () => awsSource(await AWS.connect()),
    gcp: async () => gcpSource(await GCP.connect()),
    kubernetes: () => Promise.resolve(kubernetesSource()),
  };
  const sources = new Sources(await Promise.all(names.map((name) => open[name]())));
  return { vault, internet, sources, keys: new Keys(sources, internet) };
}

/** A namespace; `restricted` is the Pod Security Standard that its pods must meet. */
export async function namespace(name: string, labels: Record<string, string> = {}): Promise<void> {
  await apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted', ...labels } } },
  ]);
}

async function upstreams(images: Images): Promise<string> {
  const directory = join(home, 'run/internet');
  await run('e2e/internet/ca.sh', [directory]);
  const leaves = join(directory, 'leaves');
  const certificates = Object.fromEntries(
    await Promise.all((await readdir(leaves)).map(async (file) => [file, await readFile(join(leaves, file), 'utf8')] as const)),
  );
  await namespace('internet');
  await apply(withImage(internetObjects(certificates), 'internet', images));
  await kubectl('-n', 'internet', 'rollout', 'status', 'deployment/internet', '--timeout=120s');
  const { spec } = await get<{ spec: { clusterIP: string } }>('service', 'internet', '-n', 'internet');
  const hosts = [...new Set(fleet.map(({ host }) => host))];
  await run(
    'e2e/cluster/names',
    hosts.map((host) => `${host}=${spec.clusterIP}`),
  );
  return readFile(join(directory, 'ca.pem'), 'utf8');
}

async function chart(images: Images, vaultCa: string, publicCa: string): Promise<void> {
  const image = (full: string): object => ({
    repository: full.slice(0, full.lastIndexOf(':')),
    tag: full.slice(full.lastIndexOf(':') + 1),
    pullPolicy: 'IfNotPresent',
  });
  const values = {
    image: { operator: image(images.operator), sidecar: image(images.sidecar) },
    vault: { address: 'https://vault.vault.svc:8200', caBundle: vaultCa, role: 'mcp' },
    trust: { extraCA: publicCa },
  };
  await run('e2e/cluster/build', ['helm'], { show: true });
  const helm = join(home, 'bin/helm');
  const args = [
    'upgrade',
    '--install',
    'rekey',
    'charts/rekey',
    '-n',
    'rekey-system',
    '--create-namespace',
    '-f',
    '-',
    '--wait',
    '--timeout',
    '120s',
  ];
  try {
    await run(helm, args, { input: JSON.stringify(values), env: { KUBECONFIG: kubeconfig } });
  } catch (error) {
    say(await kubectl('-n', 'rekey-system', 'logs', '--tail=30', '-l', 'app.kubernetes.io/name=rekey').catch(() => ''));
    throw error;
  }
}

/** Replaces the image of all containers: the manifests name the images by a tag for people, the tests by the hash of their sources. */
function withImage<T extends object>(objects: readonly T[], name: ImageName, images: Partial<Images>): T[] {
  return JSON.parse(JSON.stringify(objects).replaceAll(/"image":"rekey\.test\/[a-z-]+:dev"/gu, `"image":"${images[name]}"`)) as T[];
}

/**
 * The eleven servers with their keys and credentials, from nothing, and the clients that call them; the sidecars are put in by the webhook.
 * `via`: the ways in of each server's calls; the hosts file unless given.
 */
export async function startFleet({ keys, internet, sources }: Stack, via?: (server: Server) => object[]): Promise<Driver> {
  await namespace('tools');
  await namespace('demo');
  await kubectl('-n', 'demo', 'delete', 'pods', '--all', '--wait', '--grace-period=1');
  await kubectl('-n', 'tools', 'delete', 'deployments,mcpcredentials', '--all', '--wait', '--cascade=foreground');
  await internet.reset(true);
  for (const server of fleet) await sources.of(server).remove(server);
  for (const server of fleet) await keys.rotate(server, { revoke: false });
  const reference = (server: Server): object => ({
    ...sources.of(server).reference(server),
    ...(via === undefined ? {} : { via: via(server) }),
  });
  await apply(fleet.map((server) => credentialObject(server, reference(server))));
  await apply(await deployed(fleet.flatMap((server) => serverObjects(server))));
  await step('eleven MCP servers', () => ready('tools', fleet.length, 300));
  await startClient();
  return Driver.connect();
}

/** The pod with the MCP clients. */
export async function startClient(): Promise<void> {
  await apply(withImage(clientObjects(), 'client', await ensureImages(['client'])));
  await ready('demo', 1, 120);
}

/** Manifests of MCP servers with the image that the tests built. */
export async function deployed<T extends object>(objects: readonly T[]): Promise<T[]> {
  return withImage(objects, 'servers', await ensureImages(['servers']));
}

/** Waits until this many pods of a namespace are ready, and shows how many are. */
export async function ready(name: string, count: number, seconds: number): Promise<void> {
  let shown = -1;
  await until(
    `${count} ready pods in ${name}: see kubectl -n ${name} get pods,events`,
    seconds,
    async () => {
      const now = (await pods(name)).filter(isReady).length;
      if (now !== shown && count > 1) say(`${elapsed()}   ${now} of ${count} ready`);
      shown = now;
      return now >= count ? true : undefined;
    },
    1000,
  );
}
