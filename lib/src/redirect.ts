/**
 * Where a redirect leads that may be followed with a token in hand, or undefined. A node of a cluster that is not the active one names
 * the active one in a 307, which keeps method and body (RFC 9110 section 15.4.8).
 *
 * | status | location                                       | outcome      |
 * |--------|------------------------------------------------|--------------|
 * | 307    | https, a host of `hosts` (`host`, `host:port`) | the location |
 * | 307    | any other, or none                             | undefined    |
 * | other  | any                                            | undefined    |
 */
export function redirectOf(status: number | undefined, location: string | undefined, hosts: readonly string[]): URL | undefined {
  if (status !== 307 || location === undefined || !URL.canParse(location)) return undefined;
  const url = new URL(location);
  const named = hosts.some((host) => host.replace(/:443$/u, '') === url.host);
  return url.protocol === 'https:' && url.username === '' && named ? url : undefined;
}
