import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { placeholders } from '@rekey/crds/placeholder.ts';
import { splitHost } from '@rekey/crds/split-host.ts';
import type { LiveCredential } from './credential.ts';
import type { CallCounters, Metrics } from './metrics.ts';

/** What is done with calls to one host and port. */
export interface Rule {
  readonly host: string;
  readonly port: number;
  readonly credential: LiveCredential;
  /** The spec that this rule was made from; undefined when the credential was deleted. */
  readonly spec: CredentialSpec | undefined;
  readonly placeholders: readonly string[];
  readonly counters: CallCounters;
}

/** The pod's rules by `host:port`, as the credentials say now. */
export class Table {
  readonly #list: () => readonly LiveCredential[];
  readonly #metrics: Metrics;
  /** The hosts that a credential had last: a deleted one has no spec to tell them, and its calls get a reason of their own. */
  readonly #hosts = new Map<string, readonly string[]>();
  #rules = new Map<string, Rule>();

  constructor(list: () => readonly LiveCredential[], metrics: Metrics) {
    this.#list = list;
    this.#metrics = metrics;
    this.#rebuild();
  }

  /** The rule for `host:port`. It is checked against the live spec, so that a change holds from the very next call. */
  find(key: string): Rule | undefined {
    const rule = this.#rules.get(key);
    if (rule !== undefined && rule.credential.spec() === rule.spec) return rule;
    this.#rebuild();
    return this.#rules.get(key);
  }

  /** The first credential that names a host has it, as in the order of the pod's snapshot; a deleted one gives way to any other. */
  #rebuild(): void {
    const rules = new Map<string, Rule>();
    for (const credential of this.#list()) {
      const spec = credential.spec();
      if (spec !== undefined) this.#hosts.set(credential.name, spec.hosts);
      for (const host of this.#hosts.get(credential.name) ?? []) this.#add(rules, credential, host);
    }
    this.#rules = rules;
  }

  #add(rules: Map<string, Rule>, credential: LiveCredential, text: string): void {
    const { name: host, port } = splitHost(text);
    const key = `${host}:${port}`;
    const spec = credential.spec();
    const other = rules.get(key);
    if (other?.spec !== undefined || (other !== undefined && spec === undefined)) return;
    const texts = spec === undefined ? [] : placeholders(credential.name, spec);
    rules.set(key, { host, port, credential, spec, placeholders: texts, counters: this.#metrics.counters(credential.name) });
  }
}
