/** A part of the text: where it begins, and behind its end. */
export interface Span {
  from: number;
  to: number;
}

/** What a path of names leads to in a JSON text. */
export interface Reached {
  /** The values at its end: more than one where a name on the way is there twice. */
  values: Span[];
  /** Objects that should hold the last name and do not. `at`: behind their brace. */
  lacking: { at: number; isEmpty: boolean }[];
}

/** So deep a text may be nested. Servers' own limits are about this, and ours must end before the stack does. */
const deepest = 128;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const literals = ['true', 'false', 'null'].map((word) => Buffer.from(word));
const escapes = /^(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/u;

class NotJSON extends Error {}

/**
 * Follows the path through the objects of a JSON text, and tells where in its bytes things stand, so that one of them can be replaced and
 * all others stay. Undefined when the text is not what RFC 8259 calls JSON: what others are lenient with could be read in another way.
 * Makes no objects of what it reads: a megabyte of brackets would be thirty of them.
 */
export function reach(bytes: Buffer, path: readonly string[]): Reached | undefined {
  const walk = new Walk(bytes, path);
  try {
    return walk.all();
  } catch (error) {
    if (error instanceof NotJSON) return undefined;
    throw error;
  }
}

class Walk {
  readonly #bytes: Buffer;
  readonly #path: readonly string[];
  readonly #reached: Reached = { values: [], lacking: [] };
  #at = 0;
  #depth = 0;

  constructor(bytes: Buffer, path: readonly string[]) {
    this.#bytes = bytes;
    this.#path = path;
  }

  all(): Reached {
    this.#blanks();
    this.#value(0);
    this.#blanks();
    if (this.#at !== this.#bytes.length) throw new NotJSON();
    return this.#reached;
  }

  /** `level`: so many names of the path led here; -1 when it is beside the path. */
  #value(level: number): void {
    const from = this.#at;
    const code = this.#bytes[from] ?? 0;
    if (code === 0x7b) this.#nested(() => this.#object(level));
    else if (code === 0x5b) this.#nested(() => this.#list());
    else if (code === quote) this.#string();
    else if (code === 0x2d || isDigit(code)) this.#number();
    else this.#literal();
    if (level === this.#path.length) this.#reached.values.push({ from, to: this.#at });
  }

  #nested(inner: () => void): void {
    this.#depth += 1;
    if (this.#depth > deepest) throw new NotJSON();
    this.#at += 1;
    inner();
    this.#depth -= 1;
  }

  #object(level: number): void {
    const at = this.#at;
    const isLast = level === this.#path.length - 1;
    let isThere = false;
    let count = 0;
    for (; !this.#ends(0x7d, count); count += 1) {
      const isNext = this.#name(level);
      isThere ||= isNext;
      this.#blanks();
      this.#take(colon);
      this.#blanks();
      this.#value(isNext ? level + 1 : -1);
    }
    if (isLast && !isThere) this.#reached.lacking.push({ at, isEmpty: count === 0 });
  }

  /** Whether this is the next name of the path, however it is escaped. */
  #name(level: number): boolean {
    const from = this.#at;
    this.#string();
    const next = this.#path[level];
    if (next === undefined) return false;
    const text = this.#bytes.toString('latin1', from, this.#at);
    return (text.includes('\\') ? JSON.parse(text) : text.slice(1, -1)) === next;
  }

  #list(): void {
    for (let count = 0; !this.#ends(0x5d, count); count += 1) this.#value(-1);
  }

  /** Whether the object or list ends here; else its next part begins. */
  #ends(bracket: number, count: number): boolean {
    this.#blanks();
    if (this.#bytes[this.#at] === bracket) {
      this.#at += 1;
      return true;
    }
    if (count > 0) this.#take(comma);
    this.#blanks();
    return false;
  }

  #string(): void {
    this.#take(quote);
    for (;;) {
      const code = this.#bytes[this.#at] ?? 0;
      if (code < 0x20) throw new NotJSON();
      this.#at += 1;
      if (code === quote) return;
      if (code === backslash) this.#escape();
    }
  }

  #escape(): void {
    const [escape] = escapes.exec(this.#bytes.toString('latin1', this.#at, this.#at + 5)) ?? [];
    if (escape === undefined) throw new NotJSON();
    this.#at += escape.length;
  }

  #number(): void {
    if (this.#bytes[this.#at] === 0x2d) this.#at += 1;
    if (this.#bytes[this.#at] === 0x30) this.#at += 1;
    else this.#digits();
    if (this.#bytes[this.#at] === 0x2e) {
      this.#at += 1;
      this.#digits();
    }
    if (((this.#bytes[this.#at] ?? 0) | 0x20) !== 0x65) return;
    this.#at += 1;
    if (this.#bytes[this.#at] === 0x2b || this.#bytes[this.#at] === 0x2d) this.#at += 1;
    this.#digits();
  }

  /** One or more. */
  #digits(): void {
    const from = this.#at;
    while (isDigit(this.#bytes[this.#at] ?? 0)) this.#at += 1;
    if (this.#at === from) throw new NotJSON();
  }

  #literal(): void {
    const found = literals.find((word) => word.equals(this.#bytes.subarray(this.#at, this.#at + word.length)));
    if (found === undefined) throw new NotJSON();
    this.#at += found.length;
  }

  #take(code: number): void {
    if (this.#bytes[this.#at] !== code) throw new NotJSON();
    this.#at += 1;
  }

  #blanks(): void {
    while (isBlank(this.#bytes[this.#at] ?? 0)) this.#at += 1;
  }
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isBlank = (code: number): boolean => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
