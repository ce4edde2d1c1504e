import { Failure } from '@rekey/lib/reason.ts';
import type { Wish } from './allow.ts';
import { denialOf } from './allow.ts';
import type { Grant } from '../credential/credential.ts';
import type { Fields } from '../http/fields.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Found, Head } from './inject.ts';
import { find, slotsOf, withBody } from './inject.ts';
import { editsOf, isJSON } from '../json/field.ts';
import type { Verdict } from './refused.ts';
import { isRefusal, verdictOf } from './refused.ts';
import type { Part, Rule } from './rule.ts';

/** One credential in one call. */
export interface Used {
  readonly part: Part;
  found: Found;
  /** What the call carries, or carried last. */
  grant: Grant | undefined;
  /** What it is to carry from the next attempt on. */
  next: Grant | undefined;
  verdict: Verdict;
}

const nobody: readonly Used[] = [];

/** The credentials whose placeholders one call holds: mostly one or none; several where a host has several. */
export class Uses {
  readonly #rule: Rule;
  #list: readonly Used[];
  #isCarrying = false;
  /** Those whose calls under way this one is among. */
  #counted: readonly Part[] = [];

  constructor(rule: Rule, head: Head) {
    this.#rule = rule;
    this.#list = usedIn(rule, head);
  }

  get list(): readonly Used[] {
    return this.#list;
  }

  /** Those that the call is told of: the ones that it carries, or the first of the host. */
  get parts(): readonly Part[] {
    if (this.#rule.parts.length === 1) return this.#rule.parts;
    return this.#list.length === 0 ? this.#rule.parts.slice(0, 1) : this.#list.map(({ part }) => part);
  }

  /** From now on it is under way. Whether there are more than `most` with one credential. */
  begin(most: number): boolean {
    this.#counted = this.parts;
    let isTooMuch = false;
    for (const { counters } of this.#counted) {
      counters.active += 1;
      isTooMuch ||= counters.active > most;
    }
    return isTooMuch;
  }

  end(): void {
    if (this.#isCarrying) for (const { part, grant } of this.#list) if (grant !== undefined) part.credential.ended(grant.version);
    this.#isCarrying = false;
    for (const { counters } of this.#counted) counters.active -= 1;
  }

  /**
   * Why the call may not go, or undefined.
   *
   * | the call carries | outcome                                     |
   * |------------------|---------------------------------------------|
   * | some             | as each of them says: one objection is enough |
   * | none             | as the one of the host says that lets most go |
   */
  denial(wish: Wish): string | undefined {
    if (this.#list.length > 0) return denialIn(this.#list, wish);
    const { parts } = this.#rule;
    return parts.some((part) => denied(part, wish) === undefined) ? undefined : denied(parts[0], wish);
  }

  /** Two values for one header: which of them the upstream would take, nobody knows. */
  clash(): Failure | undefined {
    if (this.#list.length < 2) return undefined;
    const slots = this.#list.flatMap(({ found }) => [...new Set(slotsOf(found))]);
    const twice = slots.find((slot, index) => slots.indexOf(slot) !== index);
    return twice === undefined
      ? undefined
      : new Failure('RequestInvalid', `the request holds the placeholders of two credentials in the header ${twice}`);
  }

  /** Whether a body with this head may hold a placeholder. */
  searches(fields: Fields): boolean {
    return this.#rule.searches && isJSON(fields);
  }

  /** Throws a Failure. */
  search(body: Buffer): void {
    const list = this.#rule.parts.map((part) => {
      const used = this.#list.find((one) => one.part === part);
      const found = withBody(used?.found, editsOf(body, part.jsonFields, part.placeholders));
      if (found === undefined) return used;
      return used === undefined ? useOf(part, found) : Object.assign(used, { found });
    });
    this.#list = list.filter((used) => used !== undefined);
    const before = this.#counted;
    this.begin(Infinity);
    for (const { counters } of before) counters.active -= 1;
  }

  /** Fetches the values: undefined when all are in memory. Throws or rejects with a Failure. */
  fetch(): Promise<unknown> | undefined {
    const late: Promise<void>[] = [];
    try {
      for (const used of this.#list) {
        const grant = used.part.credential.grant();
        if (grant instanceof Promise) late.push(grant.then((one) => void (used.next = one)));
        else used.next = grant;
      }
    } catch (error) {
      for (const one of late) one.catch(() => {}); // the first reason is told
      throw error;
    }
    return late.length === 0 ? undefined : Promise.all(late);
  }

  /** From now on the call carries the values that were fetched. */
  carry(): void {
    for (const used of this.#list) {
      const { next, part, grant } = used;
      if (next === undefined) continue;
      part.credential.began(next.version);
      if (grant !== undefined) part.credential.ended(grant.version);
      used.grant = next;
      used.next = undefined;
    }
    this.#isCarrying = true;
  }

  get carries(): boolean {
    return this.#isCarrying && this.#list.length > 0;
  }

  /** The values of some are not to come back with the answer. */
  get scrubs(): boolean {
    return this.carries && this.#list.some(({ part }) => part.spec?.scrubResponses === true);
  }

  /** What the head of an answer says of the credentials: that one is refused, that its body may say so, or that all are taken. */
  verdict(head: ResponseHead): Verdict {
    let all: Verdict = 'accepted';
    for (const used of this.#list) {
      const { part, grant } = used;
      if (grant !== undefined) part.credential.answered(grant.version, head.fields);
      used.verdict = verdictOf(head, part.spec?.refused ?? []);
      if (used.verdict === 'refused' || all === 'accepted') all = used.verdict;
    }
    return all;
  }

  /** What the whole body says of those that its head left open; without one that they are taken. */
  decide(head: ResponseHead, body: readonly Buffer[] | undefined): boolean {
    for (const used of this.#list) {
      if (used.verdict !== 'unclear') continue;
      used.verdict = body !== undefined && isRefusal(head, body, used.part.spec?.refused ?? []) ? 'refused' : 'accepted';
    }
    return this.#list.some(({ verdict }) => verdict === 'refused');
  }

  count(what: 'refusals' | 'replays'): void {
    for (const { part, verdict } of this.#list) if (verdict === 'refused') part.counters[what] += 1;
  }

  /** Asks the sources of the refused ones for something newer. Whether there is some, which `carry` takes. */
  async newer(): Promise<boolean> {
    const refused = this.#list.filter(({ verdict, grant }) => verdict === 'refused' && grant !== undefined);
    const asked = refused.map(async (used) => {
      const version = used.grant?.version ?? '';
      const newest = await used.part.credential.grantAfterRefusal(version);
      if (newest.version !== version) used.next = newest;
      return newest.version !== version;
    });
    const results = await Promise.allSettled(asked);
    return results.some((result) => result.status === 'fulfilled' && result.value);
  }

  /** Tells each what the upstream said of it; a broken upstream says nothing. */
  report({ status }: ResponseHead): void {
    for (const { part, grant, verdict } of this.#list) {
      const refused = verdict === 'refused';
      if (grant !== undefined && (refused || status < 500)) part.credential.report(grant.version, !refused);
    }
  }
}

function usedIn({ parts }: Rule, head: Head): readonly Used[] {
  let list: Used[] | undefined;
  for (const part of parts) {
    const found = find(head, part.spec?.inject ?? [], part.placeholders);
    if (found !== undefined) (list ??= []).push(useOf(part, found));
  }
  return list ?? nobody;
}

const useOf = (part: Part, found: Found): Used => ({ part, found, grant: undefined, next: undefined, verdict: 'accepted' });

function denialIn(list: readonly Used[], wish: Wish): string | undefined {
  for (const { part } of list) {
    const denial = denied(part, wish);
    if (denial !== undefined) return denial;
  }
  return undefined;
}

const denied = ({ spec }: Part, wish: Wish): string | undefined => (spec === undefined ? undefined : denialOf(spec, wish));
