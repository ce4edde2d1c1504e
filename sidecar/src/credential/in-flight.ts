interface Calls {
  version: string;
  count: number;
}

/** How many calls are under way with each version: one that is replaced may be revoked only when the last call with it has ended. */
export class InFlight {
  /** The version of most calls: two additions a call are all that it costs. */
  #recent: Calls = { version: '', count: 0 };
  readonly #others = new Map<string, Calls>();

  began(version: string): void {
    this.#of(version).count += 1;
  }

  /** Whether this was the last call with its version. */
  ended(version: string): boolean {
    const calls = this.#of(version);
    calls.count -= 1;
    return calls.count === 0;
  }

  /** The versions that calls carry, but for the one that new calls get. */
  besides(current: string | undefined): string[] {
    const all = [this.#recent, ...this.#others.values()];
    return all.flatMap(({ version, count }) => (count > 0 && version !== current ? [version] : [])).sort();
  }

  #of(version: string): Calls {
    if (this.#recent.version === version) return this.#recent;
    const calls = this.#others.get(version) ?? { version, count: 0 };
    this.#others.delete(version);
    if (this.#recent.count > 0) this.#others.set(this.#recent.version, this.#recent);
    this.#recent = calls;
    return calls;
  }
}
