import type { LabelSelector } from '@rekey/crds/parts.ts';

type Labels = Readonly<Record<string, string>>;
type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** Whether a label selector selects an object with these labels (apimachinery's LabelSelectorAsSelector): all its parts must hold. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  return (
    hasLabels(selector.matchLabels ?? {}, labels) && (selector.matchExpressions ?? []).every((expression) => holds(expression, labels))
  );
}

export function hasLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

/**
 * | operator     | label absent | label in values | label not in values |
 * |--------------|--------------|-----------------|---------------------|
 * | In           | no           | yes             | no                  |
 * | NotIn        | yes          | no              | yes                 |
 * | Exists       | no           | yes             | yes                 |
 * | DoesNotExist | yes          | no              | no                  |
 */
const operators: Record<Expression['operator'], (value: string | undefined, values: readonly string[]) => boolean> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  return operators[operator](labels[key], values);
}
