import type { Used } from '../inject/uses.ts';
import { needlesOf } from './needles.ts';
import type { Wanted } from './scrubbed.ts';

/** What is not to come back with the answer to a call that carries these, each with its own placeholder in its stead. */
export function wantedOf(uses: readonly Used[]): Wanted {
  const marks = new Map<Buffer, string>();
  for (const { part, grant } of searched(uses)) {
    for (const needle of grant === undefined ? [] : needlesOf(grant.value)) marks.set(needle, part.placeholders[0] ?? '');
  }
  const needles = [...marks.keys()].toSorted((a, b) => b.length - a.length);
  return { needles, placeholder: (needle) => marks.get(needle) ?? '' };
}

/** So many values were replaced. Of several credentials the first is told: which of them it was, is not worth a search. */
export function scrubbedOf(uses: readonly Used[], count: number): void {
  const [first] = searched(uses);
  if (first !== undefined) first.part.counters.scrubs += count;
}

const searched = (uses: readonly Used[]): readonly Used[] => uses.filter(({ part }) => part.spec?.scrubResponses === true);
