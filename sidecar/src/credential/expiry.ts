/** Header fields by which upstreams tell when the credential of a call ends, in lower case. */
const names: ReadonlySet<string> = new Set(['github-authentication-token-expiration']);

/** 2026-12-31 13:44:49 UTC, or with an offset such as -0800 (as seen from api.github.com); also RFC 3339. */
const shape = /^(\d{4}-\d{2}-\d{2})[ T](\d{2}:\d{2}:\d{2})(?:\.\d+)? ?(UTC|Z|[+-]\d{2}:?\d{2})$/u;

/** When the credential that this answer was given to ends, as the upstream says it; `fields` are flat pairs. Undefined when it says nothing. */
export function expiryIn(fields: readonly string[]): Date | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    if (names.has((fields[at] ?? '').toLowerCase())) return dateOf(fields[at + 1] ?? '');
  }
  return undefined;
}

function dateOf(text: string): Date | undefined {
  const [, day = '', time = '', zone = ''] = shape.exec(text.trim()) ?? [];
  const offset = zone === 'UTC' || zone === 'Z' ? 'Z' : zone.replace(/^([+-]\d{2}):?(\d{2})$/u, '$1:$2');
  const date = new Date(`${day}T${time}${offset}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** So many answers to a version are looked at: an upstream that tells says it in most of them. */
const most = 20;

/** What the answers to this pod's calls said of when a version ends. */
export class Expiry {
  #version = '';
  #looked = 0;
  #at: Date | undefined;

  of(version: string | undefined): Date | undefined {
    return version === this.#version ? this.#at : undefined;
  }

  /** Whether that was news. Called for every answer, so the usual case leaves first. */
  learn(version: string, fields: readonly string[]): boolean {
    if (version === this.#version && this.#looked >= most) return false;
    if (version !== this.#version) this.#at = undefined;
    this.#looked = version === this.#version ? this.#looked + 1 : 1;
    this.#version = version;
    const at = expiryIn(fields);
    if (at === undefined || at.getTime() === this.#at?.getTime()) return false;
    this.#at = at;
    this.#looked = most;
    return true;
  }
}
