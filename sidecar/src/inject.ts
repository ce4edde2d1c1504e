import type { Place } from '@rekey/crds/credential.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Fields } from './hop.ts';

/** The request's head: raw header fields (flat pairs) and the target in origin form. */
export interface Head {
  fields: Fields;
  target: string;
}

/** Where the placeholder stands in one request. */
export interface Found {
  headers: { name: string; prefix: string }[];
  /** Of the target, split at `?` and `&`: the parts that are `name=placeholder`, and the names. */
  query: { part: number; name: string }[];
}

/**
 * Finds the placeholder at the named places and nowhere else: a header must be exactly prefix and placeholder, a query parameter
 * exactly the placeholder. A placeholder anywhere else stays what it is: a model that was talked into writing it into an issue
 * text must not get the value written there.
 */
export function find({ fields, target }: Head, places: readonly Place[], placeholders: readonly string[]): Found | undefined {
  const found: Found = { headers: [], query: [] };
  for (const { header, query } of places) {
    if (header !== undefined && standsInHeader(fields, header.name.toLowerCase(), header.prefix ?? '', placeholders)) {
      found.headers.push({ name: header.name, prefix: header.prefix ?? '' });
    }
    if (query !== undefined) found.query.push(...standsInQuery(target, query.name, placeholders));
  }
  return found.headers.length + found.query.length === 0 ? undefined : found;
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

function standsInQuery(target: string, name: string, placeholders: readonly string[]): { part: number; name: string }[] {
  if (!target.includes('?')) return [];
  return parts(target).flatMap((text, part) => (part > 0 && isParameter(text, name, placeholders) ? [{ part, name }] : []));
}

function isParameter(text: string, name: string, placeholders: readonly string[]): boolean {
  const equals = text.indexOf('=');
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

/** `_` and `-` are one to servers that hand headers on as variables (RFC 3875 section 4.1.18), so both are twins of the header. */
const canonical = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/** Whether this header is, or passes for, one that gets the value: such copies are dropped. */
export function twins(found: Found | undefined): (name: string) => boolean {
  if (found === undefined || found.headers.length === 0) return () => false;
  const names = found.headers.map(({ name }) => canonical(name));
  return (name) => names.some((twin) => twin.length === name.length && twin === canonical(name));
}

/** The headers that carry the value, as flat pairs: one for each place where the placeholder stood. */
export function carrying(found: Found, value: SecretValue): string[] {
  return found.headers.flatMap(({ name, prefix }) => [name, `${prefix}${value.reveal()}`]);
}

/** The target with the value in the places found; all its other bytes are the same. */
export function targetWith(found: Found, value: SecretValue, target: string): string {
  if (found.query.length === 0) return target;
  const texts = parts(target);
  for (const { part } of found.query) {
    const name = texts[part]?.slice(0, texts[part]?.indexOf('=')) ?? '';
    texts[part] = `${name}=${encodeURIComponent(value.reveal())}`;
  }
  const [path, ...parameters] = texts;
  return `${path}?${parameters.join('&')}`;
}
