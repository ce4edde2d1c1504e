import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { placeholderOf } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/host.ts';
import { mounts, trustVariables } from '@rekey/crds/names.ts';

export const volumeNames: readonly string[] = [mounts.ca.volume, mounts.trust.volume, mounts.identity.volume, mounts.secrets.volume];
export const loopback: readonly string[] = ['127.0.0.1', '::1'];
/** Ports below this need the sysctl: the sidecar is not root. */
export const firstUnprivilegedPort = 1024;
export const portSysctl = 'net.ipv4.ip_unprivileged_port_start';

/** What the chosen credentials ask of a pod. */
export interface Wanted {
  /** Names without ports, each once. */
  hosts: string[];
  ports: number[];
  /** In each app container: the placeholders, then the trust variables. */
  variables: { name: string; value: string }[];
}

type Named = { name: string; spec: CredentialSpec };

export function wantedBy(credentials: readonly { metadata: { name: string }; spec: CredentialSpec }[]): Wanted {
  const hosts = credentials.flatMap(({ spec }) => spec.hosts.map(splitHost));
  return {
    hosts: unique(hosts.map(({ name }) => name)),
    ports: unique(hosts.map(({ port }) => port)),
    variables: variablesOf(credentials.map(({ metadata, spec }) => ({ name: metadata.name, spec }))),
  };
}

/** Of two credentials that want one variable the first, which is the older one, gets it. */
export function variablesOf(credentials: readonly Named[]): Wanted['variables'] {
  const values = new Map<string, string>();
  for (const { name, spec } of credentials)
    for (const variable of spec.env) if (!values.has(variable.name)) values.set(variable.name, placeholderOf(name, variable));
  for (const name of trustVariables) values.set(name, mounts.trust.file);
  return [...values].map(([name, value]) => ({ name, value }));
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
