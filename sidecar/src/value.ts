import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';

/** Larger than any header that a server accepts: nginx takes 8 KiB, Node 16. */
const mostCharacters = 16 * 1024;

/** Visible ASCII with spaces inside (RFC 9110 section 5.5): what a header and a query carry alike, whatever the encoding. */
const carriable = /^[!-~]([ -~]*[!-~])?$/u;

/**
 * The value under `key` of a secret, fit to be written into a request. `what` names the secret in messages; no message holds the value.
 *
 * | in the secret                                          | outcome              |
 * |--------------------------------------------------------|----------------------|
 * | no such key                                            | KeyNotFound          |
 * | a number, boolean, null, object or list                | SecretValueNotString |
 * | empty, or a line break alone                           | SecretValueEmpty     |
 * | over 16 KiB                                            | SecretValueTooLarge  |
 * | CR, LF, NUL, control, not ASCII, a space at either end | SecretValueInvalid   |
 * | any of the good ones with one line break at its end    | the value without it |
 */
export function valueOf(secret: Readonly<Record<string, unknown>>, key: string, what: string): SecretValue {
  const raw = Object.hasOwn(secret, key) ? secret[key] : undefined;
  if (raw === undefined) throw new Failure('KeyNotFound', `${what} has no key ${key}`);
  if (typeof raw !== 'string') throw new Failure('SecretValueNotString', `key ${key} of ${what} is not a string`);
  const text = raw.replace(/\r?\n$/u, '');
  const problem = problemOf(text);
  if (problem !== undefined) throw new Failure(problem[0], `key ${key} of ${what} ${problem[1]}`);
  return new SecretValue(text);
}

function problemOf(text: string): [Reason, string] | undefined {
  if (text === '') return ['SecretValueEmpty', 'is empty'];
  if (text.length > mostCharacters) return ['SecretValueTooLarge', `is longer than ${mostCharacters} characters`];
  if (carriable.test(text)) return undefined;
  return ['SecretValueInvalid', 'holds a line break, a control character, one outside ASCII, or a space at its begin or end'];
}
