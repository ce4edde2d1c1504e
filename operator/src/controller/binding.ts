import type { Binding, BindingSpec } from '@rekey/crds/binding.ts';
import { apiPath, apiVersion, refreshAnnotation } from '@rekey/crds/names.ts';
import { refreshOf } from '@rekey/crds/refresh.ts';
import type { Recorder } from '../events.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { KubernetesError } from '../kubernetes.ts';
import { same } from '../status.ts';
import { isAlive } from './pod.ts';
import type { Pod } from './pod.ts';
import type { State } from './state.ts';

interface Context {
  kubernetes: Pick<Kubernetes, 'apply' | 'patch'>;
  state: State;
  record: Recorder;
}

/** Long enough for the watch to tell what the binding is by now. */
const lookAgainMilliseconds = 1000;

/**
 * Each injected pod that has a node gets one MCPCredentialBinding of its name, owned by it, so that it goes when the pod goes.
 * A pod that was made again under its name (StatefulSet) takes the binding over: another UID in the spec and as owner. What the
 * old pod reported stands until the new sidecar's first report, which it makes when it starts.
 * Resolves with when to look again.
 */
export async function reconcilePod(key: string, context: Context): Promise<number | undefined> {
  const pod = context.state.pods.get(key);
  if (pod?.node === undefined || !isAlive(pod)) return undefined;
  const bound = await bind(key, pod, context);
  await refresh(pod, context);
  return bound ? undefined : lookAgainMilliseconds;
}

/** False when the binding was another one by now: what a sidecar has reported meanwhile makes it one too. */
async function bind(key: string, pod: Pod, { kubernetes, state, record }: Context): Promise<boolean> {
  const wanted = bindingOf(pod);
  const existing = state.bindings.get(key);
  if (existing !== undefined && same(comparable(existing), comparable(wanted))) return true;
  const { namespace, name } = pod.metadata;
  // Who was paused knows an old pod, and must not write it over the new one.
  const metadata = { ...wanted.metadata, resourceVersion: existing?.metadata.resourceVersion };
  const path = `${apiPath}/namespaces/${namespace}/mcpcredentialbindings/${name}`;
  if (!(await unlessOutdated(() => kubernetes.apply(path, { ...wanted, metadata })))) return false;
  if (existing !== undefined || pod.warnings.length === 0) return true;
  const news = { type: 'Warning', reason: 'EquivalentIdentity', message: pod.warnings.join('; ') } as const;
  await record({ apiVersion: 'v1', kind: 'Pod', metadata: pod.metadata }, [news]);
  return true;
}

/**
 * The kubelet looks at the volumes of a pod within a minute or two, and at once when its annotations change: so an edit of a credential
 * that reads from a Kubernetes Secret, or its annotation rekey.dev/refresh, becomes an annotation of its pods.
 */
async function refresh(pod: Pod, { kubernetes, state }: Context): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  const credentials = Object.keys(pod.credentials).map((credential) => state.credentials.get(`${namespace}/${credential}`));
  const wanted = refreshOf(credentials.filter((credential) => credential !== undefined));
  const value = wanted[refreshAnnotation];
  if (value === undefined || value === pod.refresh) return;
  // With its UID: a pod that was made again under the name is another one.
  const change = { metadata: { uid, annotations: wanted } };
  await unlessOutdated(() => kubernetes.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, change));
}

/** False when the object is another one by now, or gone. */
async function unlessOutdated(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (error instanceof KubernetesError && (error.status === 404 || error.status === 409)) return false;
    throw error;
  }
}

function bindingOf(pod: Pod): Binding {
  const { name, namespace, uid } = pod.metadata;
  const node = pod.node === undefined ? {} : { node: pod.node };
  const spec: BindingSpec = { podUID: uid, serviceAccount: pod.serviceAccount, ...node, credentials: Object.keys(pod.credentials).sort() };
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: false, blockOwnerDeletion: false }];
  return { apiVersion, kind: 'MCPCredentialBinding', metadata: { name, namespace, ownerReferences }, spec };
}

function comparable({ metadata, spec }: Binding): object {
  const owners = (metadata.ownerReferences ?? []) as { uid?: string }[];
  return { ...spec, credentials: spec.credentials.toSorted(), owners: owners.map(({ uid }) => uid) };
}
