import type { Kubernetes } from '../kubernetes.ts';
import { same } from '../status.ts';
import { isAlive } from './pod.ts';
import type { RoleBinding, State } from './state.ts';

/** Lets the sidecars of one namespace watch its credentials and report in its bindings. */
export const sidecarRoleBinding = 'rekey-sidecar';
const group = 'rbac.authorization.k8s.io';

interface Context {
  kubernetes: Pick<Kubernetes, 'apply'>;
  state: State;
  /** The ClusterRole that the chart makes for the sidecars. */
  sidecarClusterRole: string;
}

/** A namespace with credentials or injected pods gets the RoleBinding; one that no longer has any keeps it. */
export async function reconcileNamespace(name: string, { kubernetes, state, sidecarClusterRole }: Context): Promise<void> {
  const namespace = state.namespaces.get(name);
  if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
  if (state.credentials.in(name).length === 0 && !state.pods.in(name).some(isAlive)) return;
  const wanted = roleBinding(name, sidecarClusterRole);
  if (says(state.roleBindings.get(`${name}/${sidecarRoleBinding}`), wanted)) return;
  await kubernetes.apply(`/apis/${group}/v1/namespaces/${name}/rolebindings/${sidecarRoleBinding}`, wanted);
}

function roleBinding(namespace: string, role: string): RoleBinding {
  return {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name: sidecarRoleBinding, namespace },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: group, kind: 'Group', name: `system:serviceaccounts:${namespace}` }],
  };
}

function says(existing: RoleBinding | undefined, { roleRef, subjects }: RoleBinding): boolean {
  return existing !== undefined && same({ roleRef: existing.roleRef, subjects: existing.subjects }, { roleRef, subjects });
}
