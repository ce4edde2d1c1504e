import type { Place } from '@rekey/crds/credential.ts';
import { canonicalHeader } from '@rekey/crds/header-name.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Pair } from './basic.ts';
import { basicWith, standsInBasic, wholly } from './basic.ts';
import type { Fields } from '../http/hop.ts';
import type { Edit } from '../json/field.ts';

/** The request's head: raw header fields (flat pairs) and the target in origin form. */
export interface Head {
  fields: Fields;
  target: string;
}

/** Where the placeholder stands in one request. */
export interface Found {
  headers: readonly NonNullable<Place['header']>[];
  /** The pair of basic authentication that it stands in. */
  basic: readonly Pair[];
  /** Of the target, split at `?` and `&`: the parts that are `name=placeholder`, and the names. A part that is not there is appended. */
  query: readonly { part: number; name: string }[];
  /** Of a body in JSON, which is looked at once it is there. */
  json: readonly Edit[];
}

const nowhere: readonly never[] = [];

const nothing: Found = { headers: nowhere, basic: nowhere, query: nowhere, json: nowhere };

/** The places in the head, with those in the body. */
export function withBody(found: Found | undefined, json: readonly Edit[]): Found | undefined {
  return json.length === 0 ? found : { ...(found ?? nothing), json };
}

/**
 * Finds the placeholder at the named places and nowhere else: a header must be exactly prefix and placeholder, a query parameter
 * exactly the placeholder. A placeholder anywhere else stays what it is: a model that was talked into writing it into an issue
 * text must not get the value written there.
 */
export function find({ fields, target }: Head, places: readonly Place[], placeholders: readonly string[]): Found | undefined {
  let { headers, basic, query } = nothing;
  for (const place of places) {
    if (place.header !== undefined && isToCarry(place, place.header, fields, placeholders)) headers = [...headers, place.header];
    if (place.basic !== undefined && basic.length === 0) basic = pairsOf(place, fields, placeholders);
    if (place.query !== undefined) query = [...query, ...parametersOf(place, place.query.name, target, placeholders)];
  }
  return headers.length + basic.length + query.length === 0 ? undefined : { headers, basic, query, json: nowhere };
}

function isToCarry(
  { when }: Place,
  { name, prefix = '' }: NonNullable<Place['header']>,
  fields: Fields,
  placeholders: readonly string[],
): boolean {
  return when === 'Always' || standsInHeader(fields, name.toLowerCase(), prefix, placeholders);
}

function pairsOf({ when }: Place, fields: Fields, placeholders: readonly string[]): Pair[] {
  return when === 'Always' ? [wholly] : standsInBasic(fields, placeholders);
}

function parametersOf({ when }: Place, name: string, target: string, placeholders: readonly string[]): Found['query'] {
  return when === 'Always' ? orAppended(standsInQuery(target, name, undefined), target, name) : standsInQuery(target, name, placeholders);
}

const appended = -1;

/** Of a parameter that is in every call. `*` has no query. */
function orAppended(found: Found['query'], target: string, name: string): Found['query'] {
  if (found.length > 0 || !target.startsWith('/')) return found;
  return [{ part: appended, name }];
}

function standsInHeader(fields: Fields, name: string, prefix: string, placeholders: readonly string[]): boolean {
  for (let at = 0; at < fields.length; at += 2) {
    if (
      fields[at]?.length === name.length &&
      fields[at]?.toLowerCase() === name &&
      isPlaceholder(fields[at + 1] ?? '', prefix, placeholders)
    )
      return true;
  }
  return false;
}

/** Schemes such as `Bearer` are compared without case (RFC 9110 section 11.1), the placeholder is not. */
function isPlaceholder(value: string, prefix: string, placeholders: readonly string[]): boolean {
  const text = value.trim();
  const start = text.slice(0, prefix.length);
  return (start === prefix || start.toLowerCase() === prefix.toLowerCase()) && placeholders.includes(text.slice(prefix.length));
}

/** Without `placeholders`: whatever the parameter holds. */
function standsInQuery(target: string, name: string, placeholders: readonly string[] | undefined): Found['query'] {
  if (!target.includes('?')) return [];
  return parts(target).flatMap((text, part) => (part > 0 && isParameter(text, name, placeholders) ? [{ part, name }] : []));
}

function isParameter(text: string, name: string, placeholders: readonly string[] | undefined): boolean {
  const equals = text.indexOf('=');
  if (placeholders === undefined) return decoded(equals < 0 ? text : text.slice(0, equals)) === name;
  return equals > 0 && decoded(text.slice(0, equals)) === name && placeholders.includes(decoded(text.slice(equals + 1)));
}

/** Path first, then the parameters; only the first `?` begins the query. */
function parts(target: string): string[] {
  const question = target.indexOf('?');
  return question < 0 ? [target] : [target.slice(0, question), ...target.slice(question + 1).split('&')];
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The headers that get the value, in one form. */
export function slotsOf(found: Found): string[] {
  return [...found.headers.map(({ name }) => canonicalHeader(name)), ...found.basic.map(() => 'authorization')];
}

/** Whether this header is, or passes for, one that gets the value: such copies are dropped. */
export function twins(found: Found | undefined): (name: string) => boolean {
  if (found === undefined || found.headers.length + found.basic.length === 0) return () => false;
  const names = slotsOf(found);
  return (name) => names.some((twin) => twin.length === name.length && twin === canonicalHeader(name));
}

/** The headers that carry the value, as flat pairs: one for each place where the placeholder stood. */
export function carrying(found: Found, value: SecretValue): string[] {
  const carried: string[] = [];
  for (const { name, prefix = '' } of found.headers) carried.push(name, `${prefix}${value.reveal()}`);
  for (const pair of found.basic) carried.push('Authorization', basicWith(pair, value));
  return carried;
}

/** The target with the value in the places found; all its other bytes are the same. */
export function targetWith(found: Found, value: SecretValue, target: string): string {
  if (found.query.length === 0) return target;
  const texts = parts(target);
  for (const { part, name: missing } of found.query) {
    const text = texts[part] ?? encodeURIComponent(missing);
    const name = text.split('=', 1)[0] ?? text;
    const written = `${name}=${encodeURIComponent(value.reveal())}`;
    if (part === appended) texts.push(written);
    else texts[part] = written;
  }
  const [path, ...parameters] = texts;
  return `${path}?${parameters.join('&')}`;
}
