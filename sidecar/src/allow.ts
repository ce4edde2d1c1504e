import type { Allowed } from '@rekey/crds/credential.ts';

/** RFC 3986 section 2.3: encoded or not, they are the same. */
const unreserved = /^[A-Za-z0-9._~-]$/u;

/** What some servers decode once more, or read as a slash or the end: the upstream might see another path than we do. */
const ambiguous = /%(?:00|25(?:2e|2f|5c|00))|\\|%5c|%(?![0-9a-f]{2})/iu;

/** A segment that is dropped or climbs, however it is written; some servers take off what follows `;` first. */
const dots = /(?:^|\/)[.]{1,2}(?:;[^/]*)?(?=\/|$)/u;

/**
 * Why `spec.allow` keeps a call here, or undefined when it may go. The target is in origin form.
 *
 * | allow     | the path can be read in two ways | an entry has method and path | goes |
 * |-----------|----------------------------------|------------------------------|------|
 * | not given | -                                | -                            | yes  |
 * | given     | yes                              | -                            | no   |
 * | given     | no                               | yes                          | yes  |
 * | given     | no                               | no                           | no   |
 */
export function denialOf(allow: readonly Allowed[] | undefined, method: string, target: string): string | undefined {
  if (allow === undefined) return undefined;
  const question = target.indexOf('?');
  const path = normal(question < 0 ? target : target.slice(0, question));
  if (path === undefined)
    return 'the path can be read in two ways: send it without empty segments, . and .., backslashes and doubly encoded characters';
  if (allow.some(({ methods, pathPrefix }) => isOf(method, methods) && isBelow(path, pathPrefix))) return undefined;
  return 'spec.allow of the credential holds no such method and path';
}

const isOf = (method: string, methods: readonly string[] | undefined): boolean => methods === undefined || methods.includes(method);

/** By whole segments, as the Gateway API's PathPrefix. */
function isBelow(path: string, prefix = '/'): boolean {
  const base = (normal(prefix) ?? prefix).replace(/\/$/u, '');
  return base === '' || path === base || path.startsWith(`${base}/`);
}

/** The path in one form (RFC 3986 section 6.2.2), or undefined when servers differ in what it is. An encoded slash stays: GitLab has it in names. */
function normal(path: string): string | undefined {
  if (ambiguous.test(path)) return undefined;
  const text = path.replaceAll(/%[0-9a-f]{2}/giu, (code) => {
    const character = String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    return unreserved.test(character) ? character : code.toUpperCase();
  });
  const split = text.replaceAll('%2F', '/').replaceAll('%3B', ';');
  return split.includes('//') || dots.test(split) ? undefined : text;
}
