// Apart from the schema: the sidecar needs this at run time, and zod would cost it 7 MB.
import type { CredentialSpec } from './credential.ts';

/** The ways in which a server's calls reach the sidecar of its pod. */
export const allWays = ['hosts', 'proxy', 'baseUrl'] as const;
export type Way = (typeof allWays)[number];

/** Loopback port of the proxy; clear of Istio (15000-15090) and Linkerd (4140-4191), as all of these. */
export const proxyPort = 15_533;
const firstBasePort = 15_540;

/** The ways that a spec allows, in its order. */
export function waysOf({ via = [{ hosts: {} }] }: Pick<CredentialSpec, 'via'>): Way[] {
  return via.flatMap((way) => allWays.filter((kind) => way[kind] !== undefined));
}

/** Loopback port of the base URL of the credential at this place of the pod's snapshot. */
export function basePort(index: number): number {
  return firstBasePort + index;
}

/** `*.atlassian.net` stands for the names one label below it, as in a certificate, and not for `atlassian.net` itself. */
export function isWildcard(host: string): boolean {
  return host.startsWith('*.');
}
