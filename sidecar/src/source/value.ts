import { isUtf8 } from 'node:buffer';
import { parseJson } from '@rekey/lib/body.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';

/** Larger than any header that a server accepts: nginx takes 8 KiB, Node 16. */
const mostCharacters = 16 * 1024;

/** Visible ASCII with spaces inside (RFC 9110 section 5.5): what a header and a query carry alike, whatever the encoding. */
const carriable = /^[!-~]([ -~]*[!-~])?$/u;

/** What a program writes that had no value in hand. */
const nothing: ReadonlySet<string> = new Set(['undefined', 'null']);

/**
 * The value under `key` of a secret, fit to be written into a request. `what` names the secret in messages; no message holds the value.
 *
 * | in the secret                                          | outcome              |
 * |--------------------------------------------------------|----------------------|
 * | no such key, nor a path of keys through objects (a.b)  | KeyNotFound          |
 * | a number, boolean, null, object or list                | SecretValueNotString |
 * | empty, or a line break alone                           | SecretValueEmpty     |
 * | over 16 KiB                                            | SecretValueTooLarge  |
 * | CR, LF, NUL, control, not ASCII, a space at either end | SecretValueInvalid   |
 * | the word undefined or null                             | SecretValueInvalid   |
 * | any of the good ones with one line break at its end    | the value without it |
 *
 * With a `userKey` the value has a user, which goes through the same table, and holds no colon besides.
 */
export function valueOf(secret: Readonly<Record<string, unknown>>, key: string, what: string, userKey?: string): SecretValue {
  const value = fit(found(secret, key), key, what);
  return userKey === undefined ? value : withUser(value, fit(found(secret, userKey), userKey, what), `key ${userKey} of ${what}`);
}

/** The password with its user. Throws where the user cannot be one: what follows its colon would become part of the password. */
export function withUser(value: SecretValue, user: SecretValue, what: string): SecretValue {
  if (user.reveal().includes(':'))
    throw new Failure('SecretValueInvalid', `${what} holds a colon, and so cannot be the user of basic authentication`);
  return new SecretValue(value.reveal(), user);
}

/**
 * The value in a secret that is one text: all of it, or one key of the JSON object that it is. What is found goes through the table of `valueOf`.
 *
 * | text         | key | in the object                      | outcome                                            |
 * |--------------|-----|------------------------------------|----------------------------------------------------|
 * | not UTF-8    | any | -                                  | SecretValueInvalid                                 |
 * | any other    | no  | -                                  | all of it                                          |
 * | not JSON, or JSON but no object | yes | -               | KeyNotFound: it has no keys                        |
 * | JSON object  | a.b | "a.b", whatever "a" is             | that: a key that is written so needs no path       |
 * | JSON object  | a.b | an object "a" with a key "b"       | that                                               |
 * | JSON object  | a.b | any other, a list "a" among them   | KeyNotFound                                        |
 */
export function textValue(text: string | Uint8Array, key: string | undefined, what: string, userKey?: string): SecretValue {
  if (typeof text !== 'string' && !isUtf8(text)) throw new Failure('SecretValueInvalid', `${what} is binary, and not text in UTF-8`);
  const decoded = typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8');
  if (key === undefined) return fit(decoded, undefined, what);
  const object = parseJson(decoded);
  if (!isObject(object)) throw new Failure('KeyNotFound', `${what} is not a JSON object, so it has no key ${key}`);
  return valueOf(object, key, what, userKey);
}

/** A key that is written so needs no path. */
function found(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : nested(object, key);
}

function nested(object: unknown, key: string): unknown {
  return key.split('.').reduce((inner, name) => (isObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined), object);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function fit(raw: unknown, key: string | undefined, what: string): SecretValue {
  const name = key === undefined ? what : `key ${key} of ${what}`;
  if (raw === undefined) throw new Failure('KeyNotFound', `${what} has no key ${key}`);
  if (typeof raw !== 'string') throw new Failure('SecretValueNotString', `${name} is not a string`);
  const text = raw.replace(/\r?\n$/u, '');
  const problem = problemOf(text);
  if (problem !== undefined) throw new Failure(problem[0], `${name} ${problem[1]}`);
  return new SecretValue(text);
}

function problemOf(text: string): [Reason, string] | undefined {
  if (text === '') return ['SecretValueEmpty', 'is empty'];
  if (text.length > mostCharacters) return ['SecretValueTooLarge', `is longer than ${mostCharacters} characters`];
  if (nothing.has(text)) return ['SecretValueInvalid', 'is the word undefined or null, which stands for no value'];
  if (carriable.test(text)) return undefined;
  return ['SecretValueInvalid', 'holds a line break, a control character, one outside ASCII, or a space at its begin or end'];
}
