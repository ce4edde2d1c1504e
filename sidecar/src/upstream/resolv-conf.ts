/** What resolv.conf says about short names (resolv.conf(5)); c-ares reads the servers from it, but not these two for single queries. */
export interface SearchList {
  domains: readonly string[];
  ndots: number;
}

/** Like the C library: the last `search` or `domain` line holds, `ndots` is 1 unless given and 15 at most. */
export function searchListOf(text: string): SearchList {
  let domains: string[] = [];
  let ndots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...rest] = line.trim().split(/\s+/u);
    if (keyword === 'search' || keyword === 'domain')
      domains = rest.map((domain) => domain.replace(/\.$/u, '')).filter((domain) => domain !== '');
    const option = keyword === 'options' ? rest.findLast((word) => /^ndots:\d+$/u.test(word)) : undefined;
    if (option !== undefined) ndots = Math.min(15, Number(option.slice('ndots:'.length)));
  }
  return { domains, ndots };
}

/** The names to ask for, in order: with the search list first when the name has fewer dots than `ndots`, then the name itself. */
export function candidates(name: string, { domains, ndots }: SearchList): string[] {
  const dots = name.split('.').length - 1;
  return dots < ndots ? [...domains.map((domain) => `${name}.${domain}`), name] : [name];
}
