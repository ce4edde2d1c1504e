import type { Phase } from '@rekey/crds/credential.ts';
import type { Problem } from '../decide/input.ts';
import type { Facts } from './facts.ts';

/** New: a version that has just been seen, before it is decided how it begins. */
export type Step = Phase | 'New';

export interface Transition {
  from: Step;
  to: Phase;
  /** In words, for the diagram. */
  when: string;
  /** Whether it is so; a Problem says why as well. */
  holds: (facts: Facts) => Problem | boolean | undefined;
}

/** The whole procedure. Of one phase the first row that holds is taken; none means to wait. docs/rotation.md draws it from here. */
export const transitions: readonly Transition[] = [
  { from: 'New', to: 'RolledBack', when: 'refused before, and nobody has asked again', holds: ({ rejected }) => rejected },
  {
    from: 'New',
    to: 'RollingOut',
    when: 'the first one, a pin, another source, or no version can be read but the newest',
    holds: ({ atOnce }) => atOnce,
  },
  { from: 'New', to: 'Probing', when: 'there is a probe', holds: ({ probes }) => probes },
  { from: 'New', to: 'Canary', when: 'there are canaries and no probe', holds: ({ hasCanaries }) => hasCanaries },
  { from: 'New', to: 'RollingOut', when: 'there is neither', holds: () => true },

  { from: 'Probing', to: 'RolledBack', when: 'the source takes it back', holds: ({ withdrawn }) => withdrawn },
  {
    from: 'Probing',
    to: 'RolledBack',
    when: 'the upstream refuses it, or it is of another account',
    holds: ({ probeRefused }) => probeRefused,
  },
  { from: 'Probing', to: 'RollingOut', when: 'the version in use does not work any more', holds: ({ nothingToLose }) => nothingToLose },
  {
    from: 'Probing',
    to: 'Canary',
    when: 'the upstream accepts it, and there are canaries',
    holds: ({ probeAccepted, hasCanaries }) => probeAccepted && hasCanaries,
  },
  { from: 'Probing', to: 'RollingOut', when: 'the upstream accepts it', holds: ({ probeAccepted }) => probeAccepted },

  { from: 'Canary', to: 'RolledBack', when: 'the source takes it back', holds: ({ withdrawn }) => withdrawn },
  { from: 'Canary', to: 'RolledBack', when: 'the upstream goes on refusing it to the canaries', holds: ({ refused }) => refused },
  { from: 'Canary', to: 'RollingOut', when: 'the version in use does not work any more', holds: ({ nothingToLose }) => nothingToLose },
  {
    from: 'Canary',
    to: 'RollingOut',
    when: 'all canaries have used it for canarySeconds',
    holds: ({ canariesDone, refusedSince }) => canariesDone && refusedSince === undefined,
  },

  {
    from: 'RollingOut',
    to: 'RolledBack',
    when: 'the upstream goes on refusing it to too many pods',
    holds: ({ refused, canGoBack }) => (canGoBack ? refused : undefined),
  },
  { from: 'RollingOut', to: 'Complete', when: 'every pod uses it', holds: ({ everywhere }) => everywhere },

  {
    from: 'Complete',
    to: 'RolledBack',
    when: 'the upstream goes on refusing it, and has never accepted it',
    holds: ({ refused, canGoBack }) => (canGoBack ? refused : undefined),
  },
];

export function next(from: Step, facts: Facts): { to: Phase; problem: Problem | undefined } | undefined {
  for (const { from: phase, to, holds } of transitions) {
    const answer = phase === from ? holds(facts) : undefined;
    if (answer !== undefined && answer !== false) return { to, problem: answer === true ? undefined : answer };
  }
  return undefined;
}
