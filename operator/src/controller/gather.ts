import type { Use } from '@rekey/crds/binding.ts';
import type { Credential, CredentialSource } from '@rekey/crds/credential.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import type { Store } from '@rekey/crds/store.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import type { BoundPod, Input, MissedPod, Reading } from '../decide/input.ts';
import { isPolled, placeOf } from '../poll/poll.ts';
import { audienceOf } from '@rekey/crds/store.ts';
import { hasLabels, selects } from '../webhook/selector.ts';
import { isAlive } from './pod.ts';
import type { Pod } from './pod.ts';
import type { State } from './state.ts';

/** What is not in the API server. */
export interface Known {
  reading: Reading | undefined;
  missed: MissedPod[] | undefined;
  specChanged: boolean;
}

/** Makes one input of all that a decision about the credential rests on. */
export function gather(credential: Credential, state: State, { reading, missed, specChanged }: Known): Input {
  const { namespace, name } = credential.metadata;
  const alive = state.pods.in(namespace).filter(isAlive);
  const carriers = alive.filter((pod) => pod.credentials[name] !== undefined).map((pod) => ({ pod, bound: boundPod(pod, name, state) }));
  const uninformed = alive.filter((pod) => pod.credentials[name] === undefined && selects(credential.spec.podSelector, pod.labels));
  const { source, storeRef } = credential.spec;
  const store = hasStore(source) ? state.stores.get(storeRef.name) : undefined;
  return {
    credential,
    siblings: state.credentials.in(namespace).filter((other) => other.metadata.name !== name),
    store: hasStore(source) ? storeState(store, state, namespace) : 'Found',
    place: placeIn(namespace, source, store),
    source: store === undefined && hasStore(source) ? undefined : sourceId(credential.spec, store?.spec),
    polled: isPolled(source, store),
    audience: store === undefined ? undefined : audienceOf(store.spec),
    reading,
    pods: carriers.map(({ bound }) => bound).filter((bound) => bound !== undefined),
    // Without a node a pod may never start, and has nothing to use meanwhile.
    starting: carriers.filter(({ pod, bound }) => bound === undefined && pod.node !== undefined).map(({ pod }) => pod.metadata.name),
    missed: missed === undefined ? undefined : [...missed, ...uninformed.map(missedPod)],
    specChanged,
  };
}

/** Where the value lives, as a person writes it; as far as that is known without its store. */
function placeIn(namespace: string, source: CredentialSource, store: Store | undefined): string {
  const { vault, awsSecretsManager: aws, gcpSecretManager: gcp, kubernetesSecret: own } = source;
  if (own !== undefined) return `Secret ${namespace}/${own.name}`;
  const known = store === undefined ? undefined : placeOf(store.spec, source);
  return known ?? vault?.path ?? aws?.secretId ?? gcp?.secret ?? '';
}

export function storeState(store: Store | undefined, state: State, namespace: string): Input['store'] {
  if (store === undefined) return 'NotFound';
  const labels = state.namespaces.get(namespace)?.metadata.labels ?? {};
  const { allowedNamespaces } = store.spec;
  return allowedNamespaces === undefined || hasLabels(allowedNamespaces.matchLabels, labels) ? 'Found' : 'NotAllowed';
}

/** A pod counts once it runs, or once its sidecar has reported: before that it holds no version that could be old. */
function boundPod(pod: Pod, credential: string, state: State): BoundPod | undefined {
  const injected = pod.credentials[credential];
  if (injected === undefined) return undefined;
  const use = useOf(pod, credential, state);
  if (use === undefined && pod.phase !== 'Running') return undefined;
  return { name: pod.metadata.name, labels: pod.labels, injected, workload: pod.workload, use };
}

/** What the pods that carry the credential report of it. */
export function usesOf({ metadata: { namespace, name } }: Credential, state: State): Use[] {
  return state.pods
    .in(namespace)
    .filter(isAlive)
    .map((pod) => useOf(pod, name, state))
    .filter((use) => use !== undefined);
}

/** A binding that still names the pod's predecessor says nothing of the pod. */
function useOf(pod: Pod, credential: string, state: State): Use | undefined {
  const binding = state.bindings.get(keyOf(pod));
  if (binding?.spec.podUID !== pod.metadata.uid) return undefined;
  return binding.status?.credentials?.find(({ name }) => name === credential);
}

/** Injected for other credentials: a new pod in its place would get this one too. */
function missedPod({ metadata, workload }: Pod): MissedPod {
  return { name: metadata.name, workload, optedIn: true };
}
