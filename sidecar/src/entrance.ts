/** Where a connection came in. It says whom its requests are for before their first byte is read, and a request must agree. */
export interface Entrance {
  /** The upstream, lower case. */
  host: string;
  port: number;
  /** `host:port`. */
  key: string;
  /** Whether an authority (a Host field, the one of an absolute target) names this upstream. */
  names: (authority: string) => boolean;
  /** Of an absolute target. */
  scheme: 'https' | 'http';
}

/** The name in a handshake is the name of the upstream, and so must be the Host, with the port or without. */
export function throughTls(host: string, port: number): Entrance {
  const key = `${host}:${port}`;
  const names = (authority: string): boolean => {
    if (authority === host || authority === key) return true;
    const lower = authority.toLowerCase();
    return lower === key || lower === host;
  };
  return { host, port, key, names, scheme: 'https' };
}
