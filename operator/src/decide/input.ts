import type { Credential, KubernetesReference } from '@rekey/crds/credential.ts';
import type { Use } from '@rekey/crds/binding.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Versions } from '../poll/poll.ts';

/** A word of the closed list, and one sentence for a person who has read nothing yet. */
export interface Problem {
  /** Unknown: a newer sidecar gives a reason that this operator does not know. */
  reason: Reason | 'Unknown';
  message: string;
}

/** The last answer of the source about one path. */
export type Reading = { versions: Versions; failure?: undefined } | { versions?: undefined; failure: Problem };

/** What a pod has of a credential since it was created, and cannot get later. */
export interface Injected {
  hosts: readonly string[];
  /** The ways in which the calls of the pod reach its sidecar. */
  ways: readonly Way[];
  /** The variables with the placeholder. */
  env: readonly string[];
  /** The audience of the pod's token for each store that it has one for. */
  audiences: Readonly<Record<string, string>>;
  /** The keys of Kubernetes Secrets that it has in its volume, each `name/key`. */
  secrets: readonly string[];
}

export const secretKeys = ({ name, key, userKey }: KubernetesReference): string[] =>
  [key, userKey].flatMap((one) => (one === undefined ? [] : [`${name}/${one}`]));

/** A running pod that carries the credential. */
export interface BoundPod {
  name: string;
  labels: Readonly<Record<string, string>>;
  injected: Injected;
  /** What `kubectl rollout restart` takes, such as deployment/mcp-github; undefined for a pod of its own. */
  workload?: string | undefined;
  /** What its sidecar reports; undefined until it has. */
  use?: Use | undefined;
}

/** A running pod that the credential selects and that has no sidecar. */
export interface MissedPod {
  name: string;
  workload?: string | undefined;
  /** Whether a new pod in its place would get the sidecar. */
  optedIn: boolean;
}

/** All that a decision about one credential rests on: gathered once, so that deciding reads nothing. */
export interface Input {
  /** With the status as it was written last. */
  credential: Credential;
  /** The other credentials of the namespace. */
  siblings: readonly Credential[];
  store: 'Found' | 'NotFound' | 'NotAllowed';
  /** The path at the source, as a person would write it: kv/mcp/github. */
  place: string;
  /** What its versions are versions of; undefined without a store. */
  source: string | undefined;
  /** Whether the operator asks the source for its versions; if not, the pods tell of them, and there is nothing to pin. */
  polled: boolean;
  /** The audience that the store demands of tokens; undefined without a store. */
  audience: string | undefined;
  /** Undefined until the source has answered, or failed to, once. */
  reading: Reading | undefined;
  pods: readonly BoundPod[];
  /** Names of pods that have a node and carry the credential, and neither run nor have reported: nobody knows what they start with. */
  starting: readonly string[];
  /** Undefined when they could not be listed. */
  missed: readonly MissedPod[] | undefined;
  /** Whether the spec changed since the last decision that rested on a reading. */
  specChanged: boolean;
}

/** "1 pod", "3 pods". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** The first three names, and how many more there are: "a, b, c (+2)". */
export function some(names: readonly string[]): string {
  const first = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${first} (+${names.length - 3})` : first;
}
