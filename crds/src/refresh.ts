import { createHash } from 'node:crypto';
import type { Credential } from './credential.ts';
import { refreshAnnotation } from './names.ts';
import { hasStore } from './source-kind.ts';

/**
 * The annotation of a pod whose credentials read from Kubernetes Secrets, and none for other pods: 12 hex digits that differ when one of
 * these credentials was edited or asked for a refresh. Webhook and operator make it alike, so that a new pod is right from the start.
 */
export function refreshOf(credentials: readonly Credential[]): Record<string, string> {
  const asked = credentials
    .filter(({ spec }) => !hasStore(spec.source))
    .map(({ metadata: { name, generation = 0, annotations = {} } }) => [name, generation, annotations[refreshAnnotation] ?? '']);
  if (asked.length === 0) return {};
  const text = JSON.stringify(asked.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)));
  return { [refreshAnnotation]: createHash('sha256').update(text).digest('hex').slice(0, 12) };
}
