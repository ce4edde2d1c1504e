import type { z } from 'zod';

/**
 * One rule of the API, written twice: in CEL for the API server, so that `kubectl apply` refuses what cannot work, and in
 * TypeScript for everything else. Both are tested with one table. The message says what is wrong and what to write instead.
 */
export interface Rule<T> {
  cel: string;
  message: string;
  holds: (value: T) => boolean;
}

interface Validation {
  rule: string;
  message: string;
}

/** Adds the rules to a schema: as refinements here, as `x-kubernetes-validations` in the generated CRD. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[], extra: Record<string, unknown> = {}): S {
  const validations: Validation[] = rules.map(({ cel, message }) => ({ rule: cel, message }));
  const checked = schema.superRefine((value, context) => {
    for (const rule of rules) {
      if (rule.holds(value)) continue;
      context.addIssue({ code: 'custom', message: rule.message });
      return; // one message a value: the first rule broken is the most particular one
    }
  });
  return checked.meta({ ...schema.meta(), ...extra, 'x-kubernetes-validations': validations });
}

/** The rule of a choice: an object with exactly one key, instead of a union, which a structural schema cannot hold. */
export function exactlyOne(keys: readonly string[], what: string): Rule<object> {
  const count = keys.map((key) => `(has(self.${key}) ? 1 : 0)`).join(' + ');
  return {
    cel: `${count} == 1`,
    message: `give exactly one ${what}: ${keys.join(' or ')}`,
    holds: (value) => keys.filter((key) => Object.hasOwn(value, key) && (value as Record<string, unknown>)[key] !== undefined).length === 1,
  };
}
