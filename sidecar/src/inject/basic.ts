import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Fields } from '../http/fields.ts';

/** `user:password` as the request has it, and which of the two are the placeholder. In the bytes of latin1, so that none is lost. */
export interface Pair {
  user: string;
  password: string;
  isUserMarked: boolean;
  isPasswordMarked: boolean;
}

const credentials = /^basic +([A-Za-z0-9+/]+={0,2})$/iu;

/** What takes both from the secret. */
export const wholly: Pair = { user: '', password: '', isUserMarked: true, isPasswordMarked: true };

/** Finds the placeholder as the whole user or the whole password of an Authorization field (RFC 7617 section 2), or as both: at most one pair. */
export function standsInBasic(fields: Fields, placeholders: readonly string[]): Pair[] {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]?.toLowerCase() !== 'authorization') continue;
    const [, encoded] = credentials.exec(fields[at + 1]?.trim() ?? '') ?? [];
    const pair = encoded === undefined ? undefined : pairIn(Buffer.from(encoded, 'base64').toString('latin1'), placeholders);
    if (pair !== undefined) return [pair];
  }
  return [];
}

/** The first colon ends the user. */
function pairIn(text: string, placeholders: readonly string[]): Pair | undefined {
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  const [isUserMarked, isPasswordMarked] = [placeholders.includes(user), placeholders.includes(password)];
  return isUserMarked || isPasswordMarked ? { user, password, isUserMarked, isPasswordMarked } : undefined;
}

/**
 * The field's value. What is not the placeholder stays.
 *
 * | the secret has a user | the placeholder is | written                          |
 * |-----------------------|--------------------|----------------------------------|
 * | yes                   | the user           | its user                         |
 * | yes                   | the password       | its value                        |
 * | yes                   | both               | both                             |
 * | no                    | the user           | its value, as the user           |
 * | no                    | the password       | its value                        |
 * | no                    | both               | its value, as the password alone |
 *
 * Throws where a value without a colon is needed, and it has one: what follows the colon would become part of the password.
 */
export function basicWith({ user, password, isUserMarked, isPasswordMarked }: Pair, value: SecretValue): string {
  const key = value.user ?? (isPasswordMarked ? undefined : value);
  const text = isUserMarked && key !== undefined ? userOf(key) : user;
  return `Basic ${Buffer.from(`${text}:${isPasswordMarked ? value.reveal() : password}`, 'latin1').toString('base64')}`;
}

function userOf(value: SecretValue): string {
  const text = value.reveal();
  if (text.includes(':'))
    throw new Failure('SecretValueInvalid', 'the value holds a colon, and so cannot be the user of basic authentication');
  return text;
}
