import type { Snapshot, SnapshotCredential } from '@rekey/crds/snapshot.ts';
import { injectedWays } from '@rekey/crds/snapshot.ts';
import { placeholderOf } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/host.ts';
import { mounts, trustVariables } from '@rekey/crds/names.ts';
import { basePort, isWildcard, proxyPort } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';

export const volumeNames: readonly string[] = [mounts.ca.volume, mounts.trust.volume, mounts.identity.volume, mounts.secrets.volume];
export const loopback: readonly string[] = ['127.0.0.1', '::1'];
/** Ports below this need the sysctl: the sidecar is not root. */
export const firstUnprivilegedPort = 1024;
export const portSysctl = 'net.ipv4.ip_unprivileged_port_start';

/** What the chosen credentials ask of a pod. */
export interface Wanted {
  /** Names that the hosts file leads to the sidecar, without ports, each once. */
  hosts: string[];
  /** Of these hosts. */
  ports: number[];
  /** In each app container: the placeholders, then what leads its calls to the sidecar. */
  variables: Variable[];
}

interface Variable {
  name: string;
  value: string;
}

/** From the snapshot alone: so an earlier injection can be taken back by what its annotation says. */
export function wantedBy({ credentials }: Pick<Snapshot, 'credentials'>): Wanted {
  const inHostsFile = credentials.filter((credential) => uses(credential, 'hosts'));
  const hosts = inHostsFile.flatMap(({ spec }) => spec.hosts.filter((host) => !isWildcard(host)).map(splitHost));
  const wanted = [...placeholdersOf(credentials), ...baseUrlsOf(credentials), ...proxyOf(credentials), ...trustOf(credentials)];
  return {
    hosts: unique(hosts.map(({ name }) => name)),
    ports: unique(hosts.map(({ port }) => port)),
    // Of two that want one variable the first gets it, which is the older credential's.
    variables: [...new Map(wanted.toReversed().map((variable) => [variable.name, variable])).values()].toReversed(),
  };
}

const uses = (credential: SnapshotCredential, way: Way): boolean => injectedWays(credential).includes(way);

function placeholdersOf(credentials: readonly SnapshotCredential[]): Variable[] {
  return credentials.flatMap(({ name, spec }) =>
    spec.env.map((variable) => ({ name: variable.name, value: placeholderOf(name, variable) })),
  );
}

/** In clear: these bytes do not leave the pod's loopback, and the sidecar speaks TLS from there on. */
function baseUrlsOf(credentials: readonly SnapshotCredential[]): Variable[] {
  return credentials.flatMap((credential, index) => {
    const env = uses(credential, 'baseUrl') ? (credential.spec.via ?? []).flatMap(({ baseUrl }) => baseUrl?.env ?? []) : [];
    return env.map(({ name, path }) => ({ name, value: `http://127.0.0.1:${basePort(index)}${path}` }));
  });
}

/** Calls inside the cluster need no proxy, unless a credential is for one of its names. */
function proxyOf(credentials: readonly SnapshotCredential[]): Variable[] {
  const users = credentials.filter((credential) => uses(credential, 'proxy'));
  if (users.length === 0) return [];
  const inside = ['.svc', '.cluster.local'].filter(
    (end) => !users.some(({ spec }) => spec.hosts.some((host) => splitHost(host).name.endsWith(end))),
  );
  const proxy = `http://127.0.0.1:${proxyPort}`;
  const none = ['localhost', ...loopback, ...inside].join(',');
  return [
    ...['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].map((name) => ({ name, value: proxy })),
    ...['NO_PROXY', 'no_proxy'].map((name) => ({ name, value: none })),
    { name: 'NODE_USE_ENV_PROXY', value: '1' },
  ];
}

function trustOf(credentials: readonly SnapshotCredential[]): Variable[] {
  if (!credentials.some((credential) => uses(credential, 'hosts') || uses(credential, 'proxy'))) return [];
  return trustVariables.map((name) => ({ name, value: mounts.trust.file }));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
