import type { Part } from './request.ts';

/** A token, by the name it was registered under, and the API it belongs to. */
export interface Owner {
  token: string;
  tokenApi: string;
}

export interface Leak extends Owner {
  where: string;
}

interface Form {
  owner: Owner;
  text: string;
}

/** Windows of this many characters are looked up, so the cost of a search does not grow with the number of tokens. */
const window = 8;
export const shortestToken = 16;

/** Finds tokens in every form in which they could stand in a request: raw, JSON-escaped, URL-encoded, base64, hexadecimal. */
export class LeakSearch {
  readonly #forms = new Map<string, Form[]>();

  /** The value must have at least `shortestToken` characters. */
  add(owner: Owner, value: string): void {
    for (const text of forms(value)) {
      const start = text.slice(0, window);
      const alike = this.#forms.get(start) ?? [];
      this.#forms.set(start, [...alike, { owner, text }]);
    }
  }

  /** Each token at most once a part. */
  find(parts: readonly Part[]): Leak[] {
    return parts.flatMap(({ where, text }) => [...this.#owners(text)].map((owner) => ({ ...owner, where })));
  }

  clear(): void {
    this.#forms.clear();
  }

  #owners(text: string): Set<Owner> {
    const found = new Set<Owner>();
    for (let index = 0; index + window <= text.length; index += 1) {
      for (const form of this.#forms.get(text.slice(index, index + window)) ?? []) {
        if (text.startsWith(form.text, index)) found.add(form.owner);
      }
    }
    return found;
  }
}

function forms(value: string): Set<string> {
  const bytes = Buffer.from(value);
  const hex = bytes.toString('hex');
  const encoded = encodeURIComponent(value);
  const lower = encoded.replaceAll(/%[0-9A-F]{2}/gu, (code) => code.toLowerCase());
  const inner = [0, 1, 2].map((offset) => base64(bytes, offset));
  const escaped = JSON.stringify(value).slice(1, -1);
  return new Set([value, escaped, encodeURI(value), encoded, lower, hex, hex.toUpperCase(), ...inner, ...inner.map(urlSafe)]);
}

/** The base64 characters that the value alone decides when it stands `offset` bytes into a group of three. */
function base64(value: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), value]).toString('base64');
  return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + value.length) * 8) / 6));
}

function urlSafe(text: string): string {
  return text.replaceAll('+', '-').replaceAll('/', '_');
}
