import type { CredentialSpec, Place } from '@rekey/crds/credential.ts';
import { clashOf } from '@rekey/crds/clash.ts';
import { placeholders } from '@rekey/crds/placeholder.ts';
import { splitHost } from '@rekey/crds/split-host.ts';
import { allWays } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { LiveCredential } from '../credential/credential.ts';
import { keyOf } from '../entrance.ts';
import type { Entrance } from '../entrance.ts';
import type { CallCounters, Metrics } from '../report/metrics.ts';

/** What is done with calls to one host and port, or to all hosts that a wildcard stands for. */
export interface Rule {
  /** The credentials of the host, told apart by their places and placeholders; a deleted one only when there is no other. */
  readonly parts: readonly [Part, ...Part[]];
  /** Whether one has a place in bodies. Without it no body is looked at. */
  readonly searches: boolean;
}

/** What is done with one credential. */
export interface Part {
  readonly credential: LiveCredential;
  /** The spec that this was made from; undefined when the credential was deleted. */
  readonly spec: CredentialSpec | undefined;
  readonly placeholders: readonly string[];
  /** Its places in bodies. */
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
  /** What the rules were made from. */
  #specs: readonly (CredentialSpec | undefined)[] = [];

  constructor(list: () => readonly LiveCredential[], metrics: Metrics, waysOf: WaysOf = () => allWays) {
    this.#list = list;
    this.#metrics = metrics;
    this.#waysOf = waysOf;
    this.#rebuild();
  }

  /** The rule for an upstream, an exact one before a wildcard. It is checked against the live specs, so that a change holds from the very next call. */
  find({ key, wildcard }: Pick<Entrance, 'key' | 'wildcard'>): Rule | undefined {
    if (this.#isStale()) this.#rebuild();
    return this.#rules.get(key) ?? this.#rules.get(wildcard);
  }

  #isStale(): boolean {
    const list = this.#list();
    for (let at = 0; at < list.length; at += 1) if (list[at]?.spec() !== this.#specs[at]) return true;
    return list.length !== this.#specs.length;
  }

  /** Credentials come in the order of the pod's snapshot: where two cannot be told apart, the first has the host. */
  #rebuild(): void {
    const rules = new Map<string, Rule>();
    const list = this.#list();
    for (const credential of list) {
      const spec = credential.spec();
      if (spec !== undefined) this.#hosts.set(credential.name, spec.hosts);
      const part = this.#partOf(credential, spec);
      for (const text of this.#hosts.get(credential.name) ?? []) {
        const { name, port } = splitHost(text);
        for (const way of this.#waysOf(credential.name)) add(rules, keyOf(way, name, port), part);
      }
    }
    this.#rules = rules;
    this.#specs = list.map((credential) => credential.spec());
  }

  #partOf(credential: LiveCredential, spec: CredentialSpec | undefined): Part {
    const texts = spec === undefined ? [] : placeholders(credential.name, spec);
    const jsonFields = (spec?.inject ?? []).filter(({ jsonField }) => jsonField !== undefined);
    return { credential, spec, placeholders: texts, jsonFields, counters: this.#metrics.counters(credential.name) };
  }
}

/**
 * | there already          | the credential was deleted | told apart from all that are there | outcome         |
 * |------------------------|----------------------------|------------------------------------|-----------------|
 * | nobody                 | -                          | -                                  | it has the host |
 * | a deleted one          | yes                        | -                                  | left out        |
 * | a deleted one          | no                         | -                                  | it has the host |
 * | one or more            | yes                        | -                                  | left out        |
 * | one or more            | no                         | no                                 | left out        |
 * | one or more            | no                         | yes                                | beside them     |
 */
function add(rules: Map<string, Rule>, key: string, part: Part): void {
  const there = rules.get(key)?.parts.filter(({ spec }) => spec !== undefined) ?? [];
  const [first, ...others] = there;
  if (first === undefined) {
    if (part.spec !== undefined || !rules.has(key)) rules.set(key, ruleOf([part]));
  } else if (part.spec !== undefined && there.every((other) => !clash(part, other))) rules.set(key, ruleOf([first, ...others, part]));
}

const ruleOf = (parts: Rule['parts']): Rule => ({ parts, searches: parts.some(({ jsonFields }) => jsonFields.length > 0) });

function clash(one: Part, other: Part): boolean {
  if (one.spec === undefined || other.spec === undefined) return true;
  return clashOf({ name: one.credential.name, spec: one.spec }, { name: other.credential.name, spec: other.spec }) !== undefined;
}
