import type { Binding, BindingSpec } from '@rekey/crds/binding.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { same } from '../status.ts';
import { isAlive } from './pod.ts';
import type { Pod } from './pod.ts';
import type { State } from './state.ts';

interface Context {
  kubernetes: Pick<Kubernetes, 'apply'>;
  state: State;
}

/**
 * Each injected pod that has a node gets one MCPCredentialBinding of its name, owned by it, so that it goes when the pod goes.
 * A pod that was made again under its name (StatefulSet) takes the binding over: another UID in the spec and as owner. What the
 * old pod reported stands until the new sidecar's first report, which it makes when it starts.
 */
export async function reconcilePod(key: string, { kubernetes, state }: Context): Promise<void> {
  const pod = state.pods.get(key);
  if (pod?.node === undefined || !isAlive(pod)) return;
  const wanted = bindingOf(pod);
  const existing = state.bindings.get(key);
  if (existing !== undefined && same(comparable(existing), comparable(wanted))) return;
  const { namespace, name } = pod.metadata;
  await kubernetes.apply(`${apiPath}/namespaces/${namespace}/mcpcredentialbindings/${name}`, wanted);
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
