import { clashOf } from '@rekey/crds/clash.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/host.ts';
import type { LabelSelector } from '@rekey/crds/parts.ts';
import { byAge } from '../webhook/choose.ts';
import { selects } from '../webhook/selector.ts';
import type { Problem } from './input.ts';

type Labels = Readonly<Record<string, string>>;

/**
 * Whether an older credential of the namespace keeps this one from working. Only the younger of two has the conflict, whatever
 * the order in which they are looked at; what the webhook puts into a pod follows the same order (`choose`).
 *
 * | share a host | told apart (`clashOf`) | an existing pod is selected by both | one's labels include the other's | conflict |
 * |--------------|------------------------|-------------------------------------|----------------------------------|----------|
 * | no           | -                      | any                                 | any                              | no       |
 * | yes          | yes                    | any                                 | any                              | no       |
 * | yes          | no                     | yes                                 | any                              | yes      |
 * | yes          | no                     | no                                  | yes                              | yes      |
 * | yes          | no                     | no                                  | no                               | no       |
 */
export function conflictOf(credential: Credential, siblings: readonly Credential[], pods: readonly Labels[]): Problem | undefined {
  for (const other of siblings.toSorted(byAge)) {
    if (other.metadata.deletionTimestamp !== undefined || byAge(other, credential) >= 0) continue;
    const host = sharedHost(credential, other);
    if (host === undefined || !overlap(credential.spec.podSelector, other.spec.podSelector, pods)) continue;
    const clash = clashOf({ name: credential.metadata.name, spec: credential.spec }, { name: other.metadata.name, spec: other.spec });
    if (clash === undefined) continue;
    const message =
      `the older MCPCredential ${other.metadata.name} is for ${host} in the same pods and stays in use there, and both have ${clash}: ` +
      'give each a variable and a place or placeholder of its own, let the podSelectors select different pods, take the host out of one, or delete one';
    return { reason: 'HostConflict', message };
  }
  return undefined;
}

function sharedHost(a: Credential, b: Credential): string | undefined {
  const others = new Set(b.spec.hosts.map(canonical));
  return a.spec.hosts.find((host) => others.has(canonical(host)));
}

function canonical(host: string): string {
  const { name, port } = splitHost(host);
  return `${name}:${port}`;
}

function overlap(a: LabelSelector, b: LabelSelector, pods: readonly Labels[]): boolean {
  return includes(a, b) || includes(b, a) || pods.some((labels) => selects(a, labels) && selects(b, labels));
}

/** Whether every pod that `narrow` selects is one that `wide` selects, as far as labels alone tell. */
function includes(wide: LabelSelector, narrow: LabelSelector): boolean {
  if ((wide.matchExpressions ?? []).length > 0) return false;
  return Object.entries(wide.matchLabels ?? {}).every(([key, value]) => narrow.matchLabels?.[key] === value);
}
