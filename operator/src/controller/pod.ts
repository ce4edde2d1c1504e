import { refreshAnnotation, snapshotAnnotation } from '@rekey/crds/names.ts';
import { injectedWays } from '@rekey/crds/snapshot.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { secretKeys } from '../decide/input.ts';
import type { Injected } from '../decide/input.ts';
import { equivalentIdentities } from '../webhook/identity.ts';
import type { PodSpec } from '../webhook/pod.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import { audienceOf } from '@rekey/crds/store.ts';

/** What the controller reads of a pod (core/v1). */
export interface WholePod extends KubernetesObject {
  metadata: KubernetesObject['metadata'] & {
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; name: string; controller?: boolean }[];
  };
  spec?: Partial<PodSpec> & { serviceAccountName?: string; nodeName?: string };
  status?: { phase?: string };
}

/** What is kept of an injected pod: a thousand whole ones would take 50 MB. */
export interface Pod extends KubernetesObject {
  metadata: { name: string; namespace: string; uid: string; resourceVersion?: string };
  labels: Record<string, string>;
  phase: string;
  deleting: boolean;
  serviceAccount: string;
  node?: string | undefined;
  workload?: string | undefined;
  /** Its annotation rekey.dev/refresh. */
  refresh?: string | undefined;
  /** What each credential gave the pod when it was injected, from its snapshot. */
  credentials: Record<string, Injected>;
  /** What its owner should look at, a sentence each. */
  warnings: readonly string[];
}

export function trimPod({ metadata, spec = {}, status = {} }: WholePod): Pod {
  const { name, namespace = '', uid = '', resourceVersion = '', labels = {}, annotations = {} } = metadata;
  return {
    metadata: { name, namespace, uid, resourceVersion },
    labels,
    phase: status.phase ?? 'Pending',
    deleting: metadata.deletionTimestamp !== undefined,
    serviceAccount: spec.serviceAccountName ?? 'default',
    node: spec.nodeName,
    workload: workloadOf(metadata),
    refresh: annotations[refreshAnnotation],
    ...snapshotted(annotations[snapshotAnnotation], { containers: [], ...spec }),
  };
}

/** Neither finished nor on its way out: a pod that is being deleted may hang on a dead node for ever and would hold every rotation. */
export function isAlive({ phase, deleting }: Pod): boolean {
  return !deleting && phase !== 'Succeeded' && phase !== 'Failed';
}

/** The annotation is writable by whoever may edit the pod: what cannot be read counts as none. */
function snapshotted(text = '', spec: PodSpec): Pick<Pod, 'credentials' | 'warnings'> {
  try {
    const snapshot = JSON.parse(text) as Snapshot;
    const { credentials, stores } = snapshot;
    const named = credentials.filter(({ spec }) => hasStore(spec.source)).map(({ spec }) => spec.storeRef.name);
    const audiences = Object.fromEntries(named.map((name) => [name, audienceOf(stores.find((store) => store.name === name)?.spec)]));
    const secrets = credentials.flatMap(({ spec: { source } }) =>
      source.kubernetesSecret === undefined ? [] : secretKeys(source.kubernetesSecret),
    );
    const injected = credentials.map((credential) => {
      const { hosts, env } = credential.spec;
      const given = { hosts: [...hosts], ways: injectedWays(credential), env: env.map((variable) => variable.name), audiences, secrets };
      return [credential.name, given satisfies Injected] as const;
    });
    return { credentials: byName(injected), warnings: equivalentIdentities(spec, snapshot).map(({ message }) => message) };
  } catch {
    return { credentials: byName([]), warnings: [] };
  }
}

/** Without what every object inherits: a credential may be named `constructor`. */
function byName(entries: readonly (readonly [string, Injected])[]): Record<string, Injected> {
  return Object.assign(Object.create(null) as Record<string, Injected>, Object.fromEntries(entries));
}

/** Kinds that `kubectl rollout restart` takes. */
const restartable = new Set(['StatefulSet', 'DaemonSet']);

/** deployment/mcp-github; a ReplicaSet's name is its Deployment's with the hash that its pods are labelled with. */
export function workloadOf({ ownerReferences = [], labels = {} }: WholePod['metadata']): string | undefined {
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  if (restartable.has(owner.kind)) return `${owner.kind.toLowerCase()}/${owner.name}`;
  const suffix = `-${labels['pod-template-hash'] ?? ''}`;
  return owner.kind === 'ReplicaSet' && owner.name.endsWith(suffix) ? `deployment/${owner.name.slice(0, -suffix.length)}` : undefined;
}
