import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Fields } from './http/fields.ts';

/** What stands before and after the placeholder in `user:password`; one of them is empty. In the bytes of latin1, so that none is lost. */
export interface Beside {
  before: string;
  after: string;
}

const credentials = /^basic +([A-Za-z0-9+/]+={0,2})$/iu;

/** Finds the placeholder as the whole user or the whole password of an Authorization field (RFC 7617 section 2): at most one. */
export function standsInBasic(fields: Fields, placeholders: readonly string[]): Beside[] {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]?.toLowerCase() !== 'authorization') continue;
    const [, encoded] = credentials.exec(fields[at + 1]?.trim() ?? '') ?? [];
    const beside = encoded === undefined ? undefined : besideIn(Buffer.from(encoded, 'base64').toString('latin1'), placeholders);
    if (beside !== undefined) return [beside];
  }
  return [];
}

/** The first colon ends the user. */
function besideIn(pair: string, placeholders: readonly string[]): Beside | undefined {
  const colon = pair.indexOf(':');
  if (colon < 0) return undefined;
  if (placeholders.includes(pair.slice(colon + 1))) return { before: pair.slice(0, colon + 1), after: '' };
  return placeholders.includes(pair.slice(0, colon)) ? { before: '', after: pair.slice(colon) } : undefined;
}

/** The field's value. Throws where the value cannot be a user: what follows its colon would become part of the password. */
export function basicWith({ before, after }: Beside, value: SecretValue): string {
  const text = value.reveal();
  if (before === '' && text.includes(':'))
    throw new Failure('SecretValueInvalid', 'the value holds a colon, and so cannot be the user of basic authentication');
  return `Basic ${Buffer.from(`${before}${text}${after}`, 'latin1').toString('base64')}`;
}
