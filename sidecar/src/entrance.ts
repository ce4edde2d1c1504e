import type { Way } from '@rekey/crds/ways.ts';

/** Where a connection came in. It says whom its requests are for before their first byte is read, and a request must agree. */
export interface Entrance {
  way: Way;
  /** The upstream, lower case. */
  host: string;
  port: number;
  /** What the rules are found by. */
  key: string;
  /** The same for the wildcard that the host falls under. */
  wildcard: string;
  /** Whether an authority (a Host field, the one of an absolute target) names this upstream. */
  names: (authority: string) => boolean;
  /** Of an absolute target. */
  scheme: 'https' | 'http';
  /** The connection ends with the first answer: its next request may be for another upstream. */
  once: boolean;
}

export const keyOf = (way: Way, host: string, port: number): string => `${way} ${host}:${port}`;

/** RFC 6125 section 6.4.3: a wildcard stands for exactly one label. */
const wildcardOf = (host: string): string => `*${host.slice(host.indexOf('.'))}`;

/** The name in a handshake (or the authority of an absolute target) is the name of the upstream, and so must be the Host, with the port or without. */
export function throughTls(way: 'hosts' | 'proxy', host: string, port: number): Entrance {
  const authority = `${host}:${port}`;
  const names = (given: string): boolean => {
    if (given === host || given === authority) return true;
    const lower = given.toLowerCase();
    return lower === authority || lower === host;
  };
  const keys = { key: keyOf(way, host, port), wildcard: keyOf(way, wildcardOf(host), port) };
  return { way, host, port, ...keys, names, scheme: 'https', once: false };
}

/** In clear on loopback. A client names what it was told, 127.0.0.1 and the port; one that knows better may name the upstream. */
export function throughBaseUrl(localPort: number, { name: host, port }: { name: string; port: number }): Entrance {
  const known = new Set([`127.0.0.1:${localPort}`, `localhost:${localPort}`, host, `${host}:${port}`]);
  const names = (given: string): boolean => known.has(given.toLowerCase());
  const key = keyOf('baseUrl', host, port);
  return { way: 'baseUrl', host, port, key, wildcard: key, names, scheme: 'http', once: false };
}
