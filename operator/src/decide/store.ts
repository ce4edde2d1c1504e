import type { Store, StoreSpec, StoreStatus } from '@rekey/crds/store.ts';
import { conditionsOf } from '../status.ts';
import type { Draft } from '../status.ts';
import { count } from './input.ts';
import type { Reading } from './input.ts';

/** The last answers of one store. */
export interface StoreReadings {
  /** Of the login; undefined until there is one. */
  login: Reading | undefined;
  /** Of each path that credentials read there. */
  paths: readonly Reading[];
}

/**
 * Whether the operator can log in and read metadata.
 *
 * | login    | paths                                   | Ready   | reason       |
 * |----------|-----------------------------------------|---------|--------------|
 * | none yet | any                                     | Unknown | Pending      |
 * | failed   | any                                     | False   | of the login |
 * | works    | none                                    | True    | LoggedIn     |
 * | works    | all refused                             | False   | SourceDenied |
 * | works    | other                                   | True    | MetadataRead |
 */
export function decideStore(store: Store, readings: StoreReadings, now: Date): StoreStatus {
  const generation = store.metadata.generation ?? 0;
  const conditions = conditionsOf([ready(store, readings)], store.status?.conditions ?? [], { generation, now });
  return { observedGeneration: generation, place: placeOfStore(store.spec), conditions };
}

/** Where it is, as a person knows it. */
function placeOfStore({ vault, awsSecretsManager: aws, gcpSecretManager: gcp }: StoreSpec): string {
  return vault?.address ?? aws?.region ?? gcp?.project ?? '';
}

function ready(store: Store, { login, paths }: StoreReadings): Draft {
  const type = 'Ready';
  if (login === undefined) return { type, status: 'Unknown', reason: 'Pending', message: 'waiting for the first login' };
  if (login.failure !== undefined) return { type, status: 'False', ...login.failure };
  const role = operatorRole(store.spec);
  const denied = paths.filter(({ failure }) => failure?.reason === 'SourceDenied');
  if (paths.length === 0) return { type, status: 'True', reason: 'LoggedIn', message: `${role} logs in; no credential reads here yet` };
  if (denied.length === paths.length) return { type, status: 'False', ...first(denied) };
  const read = paths.filter(({ versions }) => versions !== undefined).length;
  return {
    type,
    status: 'True',
    reason: 'MetadataRead',
    message: `${role} logs in and reads metadata at ${read} of ${count(paths.length, 'path')}`,
  };
}

/** Who the operator is there: a role of Vault or IAM, or a service account of GCP. */
function operatorRole({ vault, awsSecretsManager: aws, gcpSecretManager: gcp }: StoreSpec): string {
  const auth = vault?.auth.kubernetes ?? vault?.auth.jwt;
  const role = auth?.operatorRole ?? aws?.operatorRoleARN;
  return role === undefined ? `service account ${gcp?.operatorServiceAccount ?? 'of the operator'}` : `role ${role}`;
}

function first(denied: readonly Reading[]): Pick<Draft, 'reason' | 'message'> {
  return denied[0]?.failure ?? { reason: 'SourceDenied', message: '' };
}
