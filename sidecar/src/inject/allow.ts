import type { Allowed, CredentialSpec } from '@rekey/crds/credential.ts';

/** RFC 3986 section 2.3: encoded or not, they are the same. */
const unreserved = /^[A-Za-z0-9._~-]$/u;

/** What some servers decode once more, or read as a slash or the end: the upstream might see another path than we do. */
const ambiguous = /%(?:00|25(?:2e|2f|5c|00))|\\|%5c|%(?![0-9a-f]{2})/iu;

/** A segment that is dropped or climbs, however it is written; some servers take off what follows `;` first. */
const dots = /(?:^|\/)[.]{1,2}(?:;[^/]*)?(?=\/|$)/u;

/** A call, as far as it matters whether it may go. The target is in origin form. */
export interface Wish {
  method: string;
  target: string;
  /** It begins a WebSocket. */
  upgrades: boolean;
}

const noUpgrade = 'spec.allow of the credential holds no entry with upgrade: WebSocket for this path';

/**
 * Why the spec keeps a call here, or undefined when it may go.
 *
 * | allow     | the path can be read in two ways | an entry has method and path | a WebSocket, and no such entry has upgrade | goes |
 * |-----------|----------------------------------|------------------------------|--------------------------------------------|------|
 * | not given | -                                | -                            | no                                         | yes  |
 * | not given | -                                | -                            | yes                                        | no   |
 * | given     | yes                              | -                            | -                                          | no   |
 * | given     | no                               | no                           | -                                          | no   |
 * | given     | no                               | yes                          | yes                                        | no   |
 * | given     | no                               | yes                          | no                                         | yes  |
 *
 * A WebSocket goes nowhere with `scrubResponses`: what it carries cannot be searched.
 */
export function denialOf({ allow, scrubResponses }: Pick<CredentialSpec, 'allow' | 'scrubResponses'>, wish: Wish): string | undefined {
  const { method, target, upgrades } = wish;
  if (upgrades && scrubResponses === true) return 'scrubResponses cannot search what a WebSocket carries';
  if (allow === undefined) return upgrades ? noUpgrade : undefined;
  const question = target.indexOf('?');
  const path = normal(question < 0 ? target : target.slice(0, question));
  if (path === undefined)
    return 'the path can be read in two ways: send it without empty segments, . and .., backslashes and doubly encoded characters';
  const fits = ({ methods, pathPrefix }: Allowed): boolean => isOf(method, methods) && isBelow(path, pathPrefix);
  if (allow.some((entry) => fits(entry) && (!upgrades || entry.upgrade !== undefined))) return undefined;
  if (upgrades && allow.some(fits)) return noUpgrade;
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
