import type { CredentialSource } from '@rekey/crds/credential.ts';
import { hasVersions } from '@rekey/crds/source-kind.ts';
import type { Store, StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Clock } from '../clock.ts';
import { awsPlace, gcpPlace } from './place.ts';
import { vaultMetadata, vaultPlace } from './vault.ts';
import { whenUsed } from './when-used.ts';

export type VersionState = 'Live' | 'Deleted' | 'Destroyed' | 'Disabled';

/** The versions of one secret, as its metadata says. */
export interface Versions {
  /** The newest, in whatever state. */
  current: string;
  states: Readonly<Record<string, VersionState>>;
  /** Labels that a pin may use, each with the version that it stands for now: AWS' staging labels, GCP's aliases. */
  aliases?: Readonly<Record<string, string>>;
}

/** A source as the operator sees it: metadata, never a value. Both methods reject with a Failure of the closed list. */
export interface MetadataSource {
  versions(source: CredentialSource): Promise<Versions>;
  /** Whether the operator can log in. */
  check(): Promise<void>;
  close(): void;
}

/** What a metadata source is made from. */
export interface PollContext {
  store: Store;
  /** A token of the operator's own service account for one audience. */
  token: (audience: string) => Promise<string>;
  /** The operator's service account as `namespace/name`, for the sentence that says what to bind the role to. */
  identity: string;
  /** How old a login is goes by the one that nobody sets. */
  clock: Clock;
  random: () => number;
  /** For one question with all its tries; 5 s unless given. */
  milliseconds?: number;
}

interface Kind {
  open: (context: PollContext) => MetadataSource;
  /** Where the secret lives, as a person writes it. Credentials of one store and place share one poll. */
  place: (store: StoreSpec, source: CredentialSource) => string | undefined;
}

const kinds: Partial<Record<keyof StoreSpec, Kind>> = {
  vault: { open: vaultMetadata, place: vaultPlace },
  awsSecretsManager: { open: whenUsed(async () => (await import('./aws.ts')).awsMetadata), place: awsPlace },
  gcpSecretManager: { open: whenUsed(async () => (await import('./gcp.ts')).gcpMetadata), place: gcpPlace },
};

/** Whether the operator may know versions: of a Kubernetes Secret or a KV version 1 engine it could not without seeing the value. */
export function isPolled(source: CredentialSource, store: Store | undefined): boolean {
  return hasVersions(source, store?.spec);
}

/** Of a kind of store that this operator does not know every question is a Failure. */
export function openMetadataSource(context: PollContext): MetadataSource {
  return kindOf(context.store.spec)?.open(context) ?? unknownSource(context.store.metadata.name);
}

function unknownSource(name: string): MetadataSource {
  const fail = (): Promise<never> =>
    Promise.reject(new Failure('StoreNotFound', `this operator does not know the kind of store that ${name} is: upgrade the chart`));
  return { versions: fail, check: fail, close: () => undefined };
}

/** Undefined when the credential's source is not of the store's kind. */
export function placeOf(store: StoreSpec, source: CredentialSource): string | undefined {
  return kindOf(store)?.place(store, source);
}

/** The API server lets exactly one key through (the schema's `exactlyOne`). */
function kindOf(store: StoreSpec): Kind | undefined {
  return Object.entries(kinds).find(([name]) => store[name as keyof StoreSpec] !== undefined)?.[1];
}
