import { mounts } from '@rekey/crds/names.ts';
import type { SidecarSettings } from '../config.ts';
import type { Container, EnvironmentVariable, HostAlias, PodSpec, Resources } from './pod.ts';
import { mapContainers } from './pod.ts';
import { sidecar, sidecarResources } from './sidecar.ts';
import { volumes } from './volumes.ts';
import type { Sources } from './volumes.ts';
import type { Wanted } from './wanted.ts';
import { firstUnprivilegedPort, loopback, portSysctl } from './wanted.ts';

export interface Parts {
  settings: SidecarSettings;
  sources: Sources;
  /** What an earlier injection and a LimitRange gave the sidecar. */
  before: Resources | undefined;
}

/** A pod without the sidecar, and then with it. The sidecar is the first init container, so that all others already have it. */
export function add(bare: PodSpec, wanted: Wanted, { settings, sources, before }: Parts): PodSpec {
  const spec = mapContainers(bare, (container) => addToContainer(container, wanted.variables));
  return {
    ...spec,
    initContainers: [
      sidecar(settings, { resources: sidecarResources(settings, bare, before), secrets: sources.secrets.length > 0 }),
      ...(spec.initContainers ?? []),
    ],
    volumes: [...(spec.volumes ?? []), ...volumes(sources)],
    ...addHosts(spec.hostAliases, wanted.hosts),
    ...addSysctl(spec.securityContext, wanted.ports),
  };
}

function addToContainer(container: Container, variables: Wanted['variables']): Container {
  const mount = { name: mounts.trust.volume, mountPath: mounts.trust.path, readOnly: true };
  return {
    ...container,
    env: addVariables(container.env ?? [], variables),
    volumeMounts: [...(container.volumeMounts ?? []), mount],
  };
}

/** In the place of the variable that had the name, since `$(NAME)` only refers to earlier ones; else before all, where nothing can refer to an `envFrom` of that name. */
function addVariables(env: readonly EnvironmentVariable[], wanted: Wanted['variables']): EnvironmentVariable[] {
  const values = new Map(wanted.map(({ name, value }) => [name, value]));
  const present = new Set(env.map(({ name }) => name));
  const replaced = env.map((variable) => {
    const value = values.get(variable.name);
    return value === undefined ? variable : { name: variable.name, value };
  });
  return [...wanted.filter(({ name }) => !present.has(name)), ...replaced];
}

/** One entry an address: the API server takes the address for the key of the list. */
function addHosts(aliases: readonly HostAlias[] | undefined, hosts: readonly string[]): Pick<PodSpec, 'hostAliases'> {
  if (hosts.length === 0) return {};
  const added = [...(aliases ?? [])];
  for (const ip of loopback) {
    const at = added.findIndex((alias) => alias.ip === ip && (alias.hostnames ?? []).length > 0);
    const alias = added[at];
    if (alias === undefined) added.push({ ip, hostnames: [...hosts] });
    else added[at] = { ...alias, hostnames: [...(alias.hostnames ?? []), ...hosts] };
  }
  return { hostAliases: added };
}

/** A safe sysctl in every version that we support, and allowed by `restricted`. */
function addSysctl(context: PodSpec['securityContext'], ports: readonly number[]): Pick<PodSpec, 'securityContext'> {
  const sysctls = context?.sysctls ?? [];
  const needed = ports.some((port) => port < firstUnprivilegedPort) && !sysctls.some(({ name }) => name === portSysctl);
  if (needed) return { securityContext: { ...context, sysctls: [...sysctls, { name: portSysctl, value: '0' }] } };
  return context === undefined ? {} : { securityContext: context };
}
