import type { Leak } from './leak.ts';
import { LeakSearch } from './leak.ts';
import type { Taken } from './request.ts';

/** What was seen of one token. Times are milliseconds since 1970. */
interface Use {
  accepted: number;
  refused: number;
  firstSeen?: number;
  lastSeen?: number;
  lastAccepted?: number;
  /** The client addresses that sent it. */
  from: string[];
}

interface Count {
  calls: number;
  accepted: number;
  refused: number;
  misplaced: number;
  unrouted: number;
  tokens: Record<string, Use>;
}

export interface Stats {
  since: number;
  apis: Record<string, Count & { valid: string[] }>;
  misdirected: number;
  misplaced: (Leak & { at: number; api: string })[];
}

interface Token {
  api: string;
  name: string;
  value: string;
  valid: boolean;
}

const keptLeaks = 50;
const placeholder = /rekey-placeholder/u;

/** The tokens that were ever valid, and what was seen of them. A revoked one stays: it is still a secret. */
export class Ledger {
  readonly #tokens = new Map<string, Token>();
  readonly #search = new LeakSearch();
  #counts = new Map<string, Count>();
  #leaks: Stats['misplaced'] = [];
  #misdirected = 0;
  #since = Date.now();

  /** False where the name stands for another value already. */
  register(api: string, name: string, value: string): boolean {
    const known = this.#named(api, name);
    if (known !== undefined && known.value !== value) return false;
    if (known === undefined) this.#search.add({ token: name, tokenApi: api }, value);
    this.#tokens.set(key(api, value), { api, name, value, valid: true });
    return true;
  }

  revoke(api: string, name: string): boolean {
    const token = this.#named(api, name);
    if (token !== undefined) token.valid = false;
    return token !== undefined;
  }

  /** Counts the request, and says whether its credential is valid now. */
  judge(api: string, { credential, rest }: Taken, from: string): boolean {
    const at = Date.now();
    const token = credential === undefined ? undefined : this.#tokens.get(key(api, credential));
    const accepted = token?.valid === true;
    // Another API's token is a leak even at the place of the credential.
    const elsewhere = token === undefined ? [...rest, { where: 'credential', text: credential ?? '' }] : rest;
    const leaks = this.#search.find(elsewhere).map((leak) => ({ ...leak, at, api }));
    const count = this.#count(api);
    count.calls += 1;
    count[accepted ? 'accepted' : 'refused'] += 1;
    count.misplaced += leaks.length;
    this.#leaks = [...this.#leaks, ...leaks].slice(0, keptLeaks);
    note((count.tokens[label(token, credential)] ??= { accepted: 0, refused: 0, from: [] }), accepted, from, at);
    return accepted;
  }

  unrouted(api: string): void {
    this.#count(api).unrouted += 1;
  }

  misdirected(): void {
    this.#misdirected += 1;
  }

  stats(): Stats {
    const apis = [...this.#counts].map(([api, count]) => [api, { ...count, valid: this.#valid(api) }] as const);
    return { since: this.#since, apis: Object.fromEntries(apis), misdirected: this.#misdirected, misplaced: this.#leaks };
  }

  reset(tokensToo: boolean): void {
    this.#counts = new Map();
    this.#leaks = [];
    this.#misdirected = 0;
    this.#since = Date.now();
    if (!tokensToo) return;
    this.#tokens.clear();
    this.#search.clear();
  }

  #count(api: string): Count {
    const count = this.#counts.get(api) ?? { calls: 0, accepted: 0, refused: 0, misplaced: 0, unrouted: 0, tokens: {} };
    this.#counts.set(api, count);
    return count;
  }

  #valid(api: string): string[] {
    return [...this.#tokens.values()].filter((token) => token.api === api && token.valid).map((token) => token.name);
  }

  #named(api: string, name: string): Token | undefined {
    return [...this.#tokens.values()].find((token) => token.api === api && token.name === name);
  }
}

function key(api: string, value: string): string {
  return `${api} ${value}`;
}

function label(token: Token | undefined, credential: string | undefined): string {
  if (token !== undefined) return token.name;
  if (credential === undefined) return 'none';
  return placeholder.test(credential) ? 'placeholder' : 'unknown';
}

function note(use: Use, accepted: boolean, from: string, at: number): void {
  use[accepted ? 'accepted' : 'refused'] += 1;
  use.firstSeen ??= at;
  use.lastSeen = at;
  if (accepted) use.lastAccepted = at;
  if (!use.from.includes(from)) use.from.push(from);
}
