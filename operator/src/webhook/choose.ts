import { clashOf } from '@rekey/crds/clash.ts';
import type { Credential, CredentialSpec } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/host.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Decision } from './pod.ts';
import { hasLabels, selects } from './selector.ts';

type Labels = Readonly<Record<string, string>>;

export interface Choice {
  /** Oldest first. */
  chosen: Credential[];
  /** Why others that select the pod are not among them, or not wholly. */
  warnings: Decision[];
}

export interface Candidates {
  /** All of the pod's namespace. */
  credentials: readonly Credential[];
  stores: readonly Store[];
  namespaceLabels: Labels;
}

/**
 * The credentials that a pod with these labels gets.
 *
 * | selects the pod | being deleted | store                   | a host of an older chosen one | told apart from it | outcome                    |
 * |-----------------|---------------|-------------------------|-------------------------------|--------------------|----------------------------|
 * | no              | any           | any                     | any                           | -                  | not chosen                 |
 * | yes             | yes           | any                     | any                           | -                  | not chosen                 |
 * | yes             | no            | forbids the namespace   | any                           | -                  | left out: StoreNotAllowed  |
 * | yes             | no            | allows it, or not there | yes                           | no                 | left out: HostConflict     |
 * | yes             | no            | allows it, or not there | yes                           | yes                | chosen                     |
 * | yes             | no            | allows it, or not there | no                            | -                  | chosen                     |
 */
export function choose(podLabels: Labels, { credentials, stores, namespaceLabels }: Candidates): Choice {
  const choice: Choice = { chosen: [], warnings: [] };
  const candidates = credentials.filter(
    ({ metadata, spec }) => metadata.deletionTimestamp === undefined && selects(spec.podSelector, podLabels),
  );
  for (const candidate of candidates.toSorted(byAge)) {
    const objection = forbidden(candidate, stores, namespaceLabels) ?? conflict(candidate, choice.chosen);
    if (objection === undefined) choice.chosen.push(candidate);
    else choice.warnings.push(objection);
  }
  choice.warnings.push(...sharedVariables(choice.chosen));
  return choice;
}

/** Creation times have whole seconds, so the name decides between two of one `kubectl apply`. */
export function byAge(a: Credential, b: Credential): number {
  const [left, right] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? '9'} ${metadata.name}`) as [string, string];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function forbidden({ metadata, spec }: Credential, stores: readonly Store[], namespaceLabels: Labels): Decision | undefined {
  const allowed = stores.find((store) => store.metadata.name === spec.storeRef.name)?.spec.allowedNamespaces;
  if (allowed === undefined || hasLabels(allowed.matchLabels, namespaceLabels)) return undefined;
  const message =
    `MCPCredential ${metadata.name} is left out: MCPCredentialStore ${spec.storeRef.name} does not allow this namespace; ` +
    `label the namespace ${textOf(allowed.matchLabels)} or name another store`;
  return { reason: 'StoreNotAllowed', message };
}

function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

function conflict({ metadata, spec }: Credential, older: readonly Credential[]): Decision | undefined {
  const wanted = new Set(spec.hosts.map(canonical));
  for (const other of older) {
    const shared = other.spec.hosts.find((host) => wanted.has(canonical(host)));
    const clash = shared === undefined ? undefined : clashOf(named({ metadata, spec }), named(other));
    if (clash === undefined) continue;
    const message =
      `MCPCredential ${metadata.name} is left out: the older MCPCredential ${other.metadata.name} is for ${shared} in this pod too, and both have ${clash}; ` +
      'give each a variable and a place or placeholder of its own, let their podSelectors select different pods, or delete one';
    return { reason: 'HostConflict', message };
  }
  return undefined;
}

const named = ({ metadata: { name }, spec }: Pick<Credential, 'metadata' | 'spec'>): { name: string; spec: CredentialSpec } => ({
  name,
  spec,
});

function canonical(host: string): string {
  const { name, port } = splitHost(host);
  return `${name}:${port}`;
}

function sharedVariables(chosen: readonly Credential[]): Decision[] {
  const owners = new Map<string, string>();
  const warnings: Decision[] = [];
  for (const { metadata, spec } of chosen) {
    for (const { name } of spec.env) {
      const owner = owners.get(name) ?? metadata.name;
      owners.set(name, owner);
      if (owner === metadata.name) continue;
      const message = `${name} holds the placeholder of the older MCPCredential ${owner}, not of ${metadata.name}; give them different variables`;
      warnings.push({ reason: 'EnvConflict', message });
    }
  }
  return warnings;
}
