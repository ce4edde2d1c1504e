import type { SnapshotCredential } from '@rekey/crds/snapshot.ts';
import { injectedWays } from '@rekey/crds/snapshot.ts';
import { splitHost } from '@rekey/crds/split-host.ts';
import { basePort, isWildcard, proxyPort } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';

/** What the door opens. Fixed when the pod is created, as its hosts file and its variables are. */
export interface Entrances {
  /** Ports that the hosts file leads to. */
  ports: number[];
  /** All names that a handshake may ask for, wildcards among them, without ports. */
  names: string[];
  proxy: { port: number; others: 'Tunnel' | 'Refuse' } | undefined;
  baseUrls: { port: number; upstream: { name: string; port: number } }[];
}

export function entrancesOf(credentials: readonly SnapshotCredential[]): Entrances {
  const of = (way: Way): SnapshotCredential[] => credentials.filter((credential) => injectedWays(credential).includes(way));
  const inHostsFile = of('hosts').flatMap(({ spec }) => spec.hosts.filter((host) => !isWildcard(host)).map(splitHost));
  const byProxy = of('proxy').flatMap(({ spec }) => spec.hosts.map(splitHost));
  return {
    ports: [...new Set(inHostsFile.map(({ port }) => port))],
    names: [...new Set([...inHostsFile, ...byProxy].map(({ name }) => name))],
    proxy: proxyOf(of('proxy')),
    baseUrls: credentials.flatMap((credential, index) => {
      const [host] = credential.spec.hosts;
      const isUsed = host !== undefined && injectedWays(credential).includes('baseUrl');
      return isUsed ? [{ port: basePort(index), upstream: splitHost(host) }] : [];
    }),
  };
}

/** Of several credentials the stricter wish holds: a proxy is one for the whole pod. */
function proxyOf(credentials: readonly SnapshotCredential[]): Entrances['proxy'] {
  if (credentials.length === 0) return undefined;
  const refuses = credentials.some(({ spec }) => spec.via?.some(({ proxy }) => proxy?.others === 'Refuse'));
  return { port: proxyPort, others: refuses ? 'Refuse' : 'Tunnel' };
}
