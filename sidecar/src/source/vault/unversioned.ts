import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { valueOf } from '../value.ts';
import type { Answer, Asked } from './answer.ts';
import { denied, fields, invalid, isFields, isRefusal, notThere, troubled } from './answer.ts';

/**
 * The value in the answer of a KV version 1 engine to `GET <mount>/<path>`, or a Failure. As with version 2, only a body of Vault's own
 * shape counts as Vault's word.
 *
 * | status            | body     | outcome                                        |
 * |-------------------|----------|------------------------------------------------|
 * | 200               | data     | the value, or the value table's Failure        |
 * | 404               | errors   | SecretNotFound                                 |
 * | 403               | errors   | SourceDenied                                   |
 * | 429, 503, 3xx, 412, 5xx | any | SourceThrottled, SourceSealed, SourceUnreachable |
 * | any other         | any      | SourceResponseInvalid                          |
 */
export function unversionedValue(answer: Answer, asked: Asked): SecretValue {
  const { status, body } = answer;
  if (status === 404 && isRefusal(answer)) throw notThere(asked.what);
  if (status === 403 && isRefusal(answer)) throw denied(asked);
  const data = fields(body)['data'];
  if (status === 200 && isFields(data)) return valueOf(data, asked.key, asked.what, asked.userKey);
  const failure = troubled(answer, asked.what);
  throw failure.reason === 'SourceResponseInvalid' ? invalid(asked.what, 1) : failure;
}

/** A pin to what there is no more, or never was: of a secret without versions only what is there now can be read. */
export function refusePin({ version, what }: Asked, current: string): void {
  if (version === undefined || version === current) return;
  const message = `${what} is in a KV version 1 engine, which keeps no versions: leave spec.version out, and write the old value to roll back`;
  throw new Failure('VersionNotFound', message);
}
