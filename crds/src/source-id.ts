import { createHash } from 'node:crypto';
import type { CredentialSpec } from './credential.ts';
import type { StoreSpec } from './store.ts';

/** How to get to the value, which does not change what it is. */
const means: ReadonlySet<string> = new Set([
  'auth',
  'role',
  'roleARN',
  'operatorRoleARN',
  'audience',
  'workloadIdentityProvider',
  'serviceAccount',
  'operatorServiceAccount',
  'stsEndpoint',
  'iamEndpoint',
  'caBundle',
  'redirectHosts',
]);

/**
 * Which source a version is a version of: 12 hex digits of a hash over the store's place and the reference in it. Version 7 of
 * another path is another value. How one logs in and whom one trusts is left out, since neither changes what is read. A Kubernetes Secret
 * has no store.
 */
export function sourceId({ source, storeRef }: Pick<CredentialSpec, 'source' | 'storeRef'>, store: StoreSpec | undefined): string {
  const { pollIntervalSeconds: _poll, allowedNamespaces: _allowed, ...kinds } = store ?? {};
  return createHash('sha256')
    .update(canonical([store === undefined ? '' : storeRef.name, places(kinds), places(source)]))
    .digest('hex')
    .slice(0, 12);
}

/** Each kind with what says where, of what it holds. */
function places(kinds: object): unknown[] {
  return Object.entries(kinds).map(([kind, settings = {}]: [string, object?]) => [
    kind,
    Object.fromEntries(Object.entries(settings).filter(([name]) => !means.has(name))),
  ]);
}

/** JSON with the keys of every object in order: a snapshot and the API server write them differently. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
