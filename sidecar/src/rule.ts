import type { CredentialSpec, Place } from '@rekey/crds/credential.ts';
import { placeholders } from '@rekey/crds/placeholder.ts';
import { splitHost } from '@rekey/crds/split-host.ts';
import { allWays } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { LiveCredential } from './credential.ts';
import { keyOf } from './entrance.ts';
import type { Entrance } from './entrance.ts';
import type { CallCounters, Metrics } from './metrics.ts';

/** What is done with calls to one host and port, or to all hosts that a wildcard stands for. */
export interface Rule {
  readonly credential: LiveCredential;
  /** The spec that this rule was made from; undefined when the credential was deleted. */
  readonly spec: CredentialSpec | undefined;
  readonly placeholders: readonly string[];
  /** Its places in bodies. Without them no body is looked at. */
  readonly jsonFields: readonly Place[];
  readonly counters: CallCounters;
}

/** The ways in which each credential's calls come in; fixed when the pod is created. */
export type WaysOf = (credential: string) => readonly Way[];

/** The pod's rules by way in and `host:port`, as the credentials say now. */
export class Table {
  readonly #list: () => readonly LiveCredential[];
  readonly #metrics: Metrics;
  readonly #waysOf: WaysOf;
  /** The hosts that a credential had last: a deleted one has no spec to tell them, and its calls get a reason of their own. */
  readonly #hosts = new Map<string, readonly string[]>();
  #rules = new Map<string, Rule>();

  constructor(list: () => readonly LiveCredential[], metrics: Metrics, waysOf: WaysOf = () => allWays) {
    this.#list = list;
    this.#metrics = metrics;
    this.#waysOf = waysOf;
    this.#rebuild();
  }

  /** The rule for an upstream, an exact one before a wildcard. It is checked against the live spec, so that a change holds from the very next call. */
  find({ key, wildcard }: Pick<Entrance, 'key' | 'wildcard'>): Rule | undefined {
    return this.#live(key) ?? this.#live(wildcard);
  }

  #live(key: string): Rule | undefined {
    const rule = this.#rules.get(key);
    if (rule === undefined || rule.credential.spec() === rule.spec) return rule ?? this.#afresh(key);
    this.#rebuild();
    return this.#rules.get(key);
  }

  /** A credential may have come to name the host since the rules were made. */
  #afresh(key: string): Rule | undefined {
    if ([...this.#rules.values()].every((rule) => rule.credential.spec() === rule.spec)) return undefined;
    this.#rebuild();
    return this.#rules.get(key);
  }

  /** The first credential that names a host has it, as in the order of the pod's snapshot; a deleted one gives way to any other. */
  #rebuild(): void {
    const rules = new Map<string, Rule>();
    for (const credential of this.#list()) {
      const spec = credential.spec();
      if (spec !== undefined) this.#hosts.set(credential.name, spec.hosts);
      for (const text of this.#hosts.get(credential.name) ?? []) {
        const { name, port } = splitHost(text);
        for (const way of this.#waysOf(credential.name)) this.#add(rules, credential, keyOf(way, name, port));
      }
    }
    this.#rules = rules;
  }

  #add(rules: Map<string, Rule>, credential: LiveCredential, key: string): void {
    const spec = credential.spec();
    const other = rules.get(key);
    if (other?.spec !== undefined || (other !== undefined && spec === undefined)) return;
    const texts = spec === undefined ? [] : placeholders(credential.name, spec);
    const jsonFields = (spec?.inject ?? []).filter(({ jsonField }) => jsonField !== undefined);
    rules.set(key, { credential, spec, placeholders: texts, jsonFields, counters: this.#metrics.counters(credential.name) });
  }
}
