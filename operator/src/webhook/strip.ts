import { injectedLabel, refreshAnnotation, sidecarName, snapshotAnnotation } from '@rekey/crds/names.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import type { Container, EnvironmentVariable, HostAlias, Pod } from './pod.ts';
import { loopback, volumeNames, wantedBy } from './wanted.ts';
import { mapContainers, withoutEmpty } from './pod.ts';

/**
 * The pod without what an earlier injection gave it, so that injecting again mends whatever happened since: a copied
 * manifest, another webhook that moved, changed or removed parts of it, or credentials that changed. A pod is known as
 * injected by our label and our annotation together; the annotation says which hosts and placeholders were ours.
 *
 * Three things stay: variables in `keep` (they are about to be set again, in the same place, since `$(NAME)` only
 * refers to earlier ones), the sysctl, which cannot be told from the pod's own and does no harm, and `rekey`'s resources,
 * which `sidecar.ts` takes over where a LimitRange has filled them in.
 */
export function strip(pod: Pod, keep: ReadonlySet<string>): Pod {
  const previous = previousOf(pod);
  if (previous === undefined) return pod;
  const { [injectedLabel]: _label, ...labels } = pod.metadata.labels ?? {};
  const { [snapshotAnnotation]: _snapshot, [refreshAnnotation]: _refresh, ...annotations } = pod.metadata.annotations ?? {};
  const isStale = (variable: EnvironmentVariable): boolean => !keep.has(variable.name) && previous.variables.has(textOf(variable));
  const spec = mapContainers(pod.spec, (container) => stripContainer(container, isStale));
  return {
    ...pod,
    metadata: withoutEmpty(withoutEmpty({ ...pod.metadata, labels, annotations }, 'labels'), 'annotations'),
    spec: withoutLists({
      ...spec,
      initContainers: (spec.initContainers ?? []).filter(({ name }) => name !== sidecarName),
      volumes: (spec.volumes ?? []).filter(({ name }) => !volumeNames.includes(name)),
      hostAliases: stripHostAliases(spec.hostAliases ?? [], new Set(previous.hosts)),
    }),
  };
}

function withoutLists(spec: Pod['spec']): Pod['spec'] {
  return withoutEmpty(withoutEmpty(withoutEmpty(spec, 'initContainers'), 'volumes'), 'hostAliases');
}

function stripContainer(container: Container, isStale: (variable: EnvironmentVariable) => boolean): Container {
  const env = container.env?.filter((variable) => !isStale(variable));
  const volumeMounts = container.volumeMounts?.filter(({ name }) => !volumeNames.includes(name));
  const stripped = { ...container, ...(env === undefined ? {} : { env }), ...(volumeMounts === undefined ? {} : { volumeMounts }) };
  return withoutEmpty(withoutEmpty(stripped, 'env'), 'volumeMounts');
}

function stripHostAliases(aliases: readonly HostAlias[], hosts: ReadonlySet<string>): HostAlias[] {
  return aliases.flatMap((alias) => {
    if (!loopback.includes(alias.ip)) return [alias];
    const hostnames = (alias.hostnames ?? []).filter((name) => !hosts.has(name));
    if (hostnames.length === (alias.hostnames ?? []).length) return [alias];
    return hostnames.length === 0 ? [] : [{ ...alias, hostnames }];
  });
}

interface Previous {
  hosts: string[];
  /** Each `NAME=value`. */
  variables: ReadonlySet<string>;
}

function textOf({ name, value = '' }: EnvironmentVariable): string {
  return `${name}=${value}`;
}

/** What the annotation says, or undefined when the pod was not injected. Anybody can write an annotation, so all of it may be wrong. */
function previousOf({ metadata }: Pod): Previous | undefined {
  const text = metadata.annotations?.[snapshotAnnotation];
  if (metadata.labels?.[injectedLabel] !== 'true' || text === undefined) return undefined;
  try {
    const { hosts, variables } = wantedBy(JSON.parse(text) as Snapshot);
    return { hosts, variables: new Set(variables.map(textOf)) };
  } catch {
    return undefined;
  }
}
