/** Header fields of one connection, which end here in both directions (RFC 9110 section 7.6.1; `proxy-*` by section 11.7). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** Never among the trailers: they frame or route a message (RFC 9110 section 6.5.1). */
const notInTrailers = new Set([
  'host',
  'content-length',
  'content-encoding',
  'content-type',
  'content-range',
  'authorization',
  'cookie',
  'set-cookie',
]);

export type Fields = readonly string[];

/** The names that the `Connection` fields nominate, in lower case, or undefined when there are none but the usual two. */
function nominated(raw: Fields): Set<string> | undefined {
  let names: Set<string> | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]?.toLowerCase() !== 'connection') continue;
    for (const part of (raw[at + 1] ?? '').toLowerCase().split(',')) {
      const name = part.trim();
      if (name !== 'keep-alive' && name !== 'close' && name !== '') (names ??= new Set()).add(name);
    }
  }
  return names;
}

/**
 * The fields that go on to the other side: flat pairs of name and value in their order and case, without those of this connection
 * and without those that `dropped` (a name in lower case) tells.
 */
export function endToEnd(raw: Fields, dropped: (name: string) => boolean = () => false): string[] {
  const ending = nominated(raw);
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || ending?.has(lower) === true || dropped(lower)) continue;
    kept.push(name, raw[at + 1] ?? '');
  }
  return kept;
}

/** Trailer fields that go on, as pairs. */
export function trailersOf(raw: Fields, dropped: (name: string) => boolean = () => false): [string, string][] {
  const kept = endToEnd(raw, (name) => notInTrailers.has(name) || dropped(name));
  return Array.from({ length: kept.length / 2 }, (_, index) => [kept[2 * index] ?? '', kept[2 * index + 1] ?? '']);
}
