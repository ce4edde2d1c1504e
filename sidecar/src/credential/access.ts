import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Resource } from './resource.ts';
import { placeOf } from './stores.ts';
import type { Stores } from './stores.ts';

/**
 * Why the value may not be used, or the key of where it is read from: a value that was read under another key is dropped.
 *
 * | resource | suspend | store                | outcome           |
 * |----------|---------|----------------------|-------------------|
 * | deleted  | -       | -                    | CredentialDeleted |
 * | there    | true    | -                    | Suspended         |
 * | there    | false   | gone                 | StoreNotFound     |
 * | there    | false   | there, or not needed | the key           |
 */
export function accessOf(name: string, resource: Resource | undefined, stores: Stores): Failure | string {
  if (resource === undefined) return deleted(name);
  const { spec } = resource;
  if (spec.suspend) return new Failure('Suspended', `MCPCredential ${name} is suspended`);
  if (!hasStore(spec.source)) return JSON.stringify([spec.source]);
  const store = stores.spec(spec.storeRef.name);
  if (store === undefined) return new Failure('StoreNotFound', `there is no MCPCredentialStore ${spec.storeRef.name}`);
  return JSON.stringify([spec.storeRef.name, placeOf(store), spec.source]);
}

/** The announced version, when it is one of the source that the spec names now: number 7 of another path is another value. */
export function announcedOf({ spec, version, source }: Resource, stores: Stores): string | undefined {
  return source === undefined || source === sourceOf(spec, stores) ? version : undefined;
}

export function sourceOf(spec: CredentialSpec, stores: Stores): string {
  const store = hasStore(spec.source) ? stores.spec(spec.storeRef.name) : undefined;
  return store === undefined && hasStore(spec.source) ? '' : sourceId(spec, store);
}

export function deleted(name: string): Failure {
  return new Failure('CredentialDeleted', `MCPCredential ${name} was deleted`);
}
