import { Failure } from '@rekey/lib/reason.ts';
import { valueOf } from '../value.ts';
import type { Reading } from '../source.ts';

/** What came back: HTTP status, and the body when it was JSON. */
export interface Answer {
  status: number;
  body: unknown;
}

/** What was asked for, in the words of messages: `kv/mcp/github in store default`. */
export interface Asked {
  what: string;
  key: string;
  userKey: string | undefined;
  role: string;
  version: string | undefined;
}

/**
 * The reading in Vault's answer to `GET <mount>/data/<path>`, or a Failure. Only a body of Vault's own shape counts as Vault's word:
 * a 404 or 403 page of a load balancer must not drop a value that is in use.
 *
 * | status        | body                                    | outcome                                          |
 * |---------------|-----------------------------------------|--------------------------------------------------|
 * | 200           | data.data, data.metadata.version        | the reading, or the value table's Failure        |
 * | 404           | data.metadata.destroyed                 | VersionDestroyed                                 |
 * | 404           | data.metadata.deletion_time             | VersionDeleted                                   |
 * | 404           | errors, no version asked for            | SecretNotFound                                   |
 * | 404           | errors, a version asked for             | VersionNotFound (the caller checks for a secret) |
 * | 403           | errors                                  | SourceDenied                                     |
 * | 429           | any                                     | SourceThrottled                                  |
 * | 503           | any                                     | SourceSealed: sealed or in maintenance           |
 * | 3xx, 412, 5xx | any                                     | SourceUnreachable: standby, lagging, broken      |
 * | any other     | any                                     | SourceResponseInvalid                            |
 */
export function readingOf(answer: Answer, asked: Asked): Reading {
  if (answer.status === 404) throw missing(answer, asked);
  if (answer.status === 403 && isRefusal(answer)) throw denied(asked);
  if (answer.status !== 200) throw troubled(answer, asked.what);
  const { data, metadata } = fields(fields(answer.body)['data']);
  const version = fields(metadata)['version'];
  if (!isFields(data) || typeof version !== 'number') throw invalid(asked.what);
  // Vault takes version 0 for the newest.
  if (asked.version !== undefined && asked.version !== String(version)) throw noVersion(asked.version, asked.what);
  return { value: valueOf(data, asked.key, asked.what, asked.userKey), version: String(version) };
}

export function denied({ role, what }: Asked): Failure {
  return new Failure('SourceDenied', `role ${role} may not read ${what}: check the role's policy`);
}

function missing(answer: Answer, { what, version }: Asked): Failure {
  const metadata = fields(fields(fields(answer.body)['data'])['metadata']);
  const which = version === undefined ? 'the newest version' : `version ${version}`;
  if (metadata['destroyed'] === true) return new Failure('VersionDestroyed', `${which} of ${what} was destroyed`);
  if (typeof metadata['deletion_time'] === 'string' && metadata['deletion_time'] !== '') {
    return new Failure('VersionDeleted', `${which} of ${what} was deleted`);
  }
  if (!isRefusal(answer)) return invalid(what);
  if (version !== undefined) return noVersion(version, what);
  return notThere(what);
}

export function notThere(what: string): Failure {
  return new Failure('SecretNotFound', `there is no secret at ${what}`);
}

function noVersion(version: string, what: string): Failure {
  return new Failure('VersionNotFound', `there is no version ${version} of ${what}`);
}

/** Answers that say nothing about the secret or the identity: the vault itself is in trouble, or something else answered in its place. */
export function troubled({ status }: Answer, what: string): Failure {
  if (status === 429) return new Failure('SourceThrottled', `the vault asks for fewer requests, reading ${what}`);
  if (status === 503) return new Failure('SourceSealed', `the vault is sealed or in maintenance, reading ${what}`);
  if (status === 412 || status >= 500 || (status >= 300 && status < 400)) {
    return new Failure('SourceUnreachable', `the vault answered ${status}, reading ${what}`);
  }
  return invalid(what);
}

export function invalid(what: string, engine = 2): Failure {
  return new Failure('SourceResponseInvalid', `the answer is not one of a Vault KV version ${engine} engine, reading ${what}`);
}

/** Whether this is Vault itself saying no: `{"errors": [...]}`. */
export function isRefusal({ body }: Answer): boolean {
  return Array.isArray(fields(body)['errors']);
}

/** Whether there is a secret, in any state, behind this answer. */
export function isThere({ status, body }: Answer): boolean {
  return status === 200 || isFields(fields(fields(body)['data'])['metadata']);
}

export function fields(value: unknown): Record<string, unknown> {
  return isFields(value) ? value : {};
}

export const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
