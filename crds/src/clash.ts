// Apart from the schema: the sidecar needs this at run time, and zod would cost it 7 MB.
import type { CredentialSpec, Place } from './credential.ts';
import { canonicalHeader } from './header-name.ts';
import { placeholders } from './placeholder.ts';

interface Named {
  name: string;
  spec: Pick<CredentialSpec, 'inject' | 'env'>;
}

/**
 * What keeps two credentials from being told apart in calls to one host, or undefined. In words, to go on with "both have …".
 *
 * | set one variable | have one place | one of them has it with when: Always | a placeholder of both | outcome   |
 * |------------------|----------------|--------------------------------------|-----------------------|-----------|
 * | yes              | -              | -                                    | -                     | clash     |
 * | no               | no             | -                                    | -                     | none      |
 * | no               | yes            | yes                                  | -                     | clash     |
 * | no               | yes            | no                                   | yes                   | clash     |
 * | no               | yes            | no                                   | no                    | none      |
 */
export function clashOf(one: Named, other: Named): string | undefined {
  const variables = new Set(one.spec.env.map(({ name }) => name));
  const variable = other.spec.env.find(({ name }) => variables.has(name))?.name;
  if (variable !== undefined) return `the variable ${variable}, which holds one placeholder`;
  const own = new Set(placeholders(one.name, one.spec));
  const mark = placeholders(other.name, other.spec).find((text) => own.has(text));
  for (const place of one.spec.inject) {
    const rival = other.spec.inject.find((candidate) => isOnePlace(place, candidate));
    if (rival === undefined) continue;
    if (place.when === 'Always' || rival.when === 'Always') return `${textOf(place)}, one of them in every call`;
    if (mark !== undefined) return `${textOf(place)} with the placeholder ${mark}`;
  }
  return undefined;
}

function isOnePlace(one: Place, other: Place): boolean {
  const [field, otherField] = [one.jsonField?.path, other.jsonField?.path];
  // What lies within a field goes when the field is replaced.
  if (field !== undefined && otherField !== undefined)
    return `${field}.`.startsWith(`${otherField}.`) || `${otherField}.`.startsWith(`${field}.`);
  return slotOf(one) !== undefined && slotOf(one) === slotOf(other);
}

function slotOf({ header, basic, query }: Place): string | undefined {
  if (query !== undefined) return `query ${query.name}`;
  if (basic !== undefined) return 'header authorization';
  return header && `header ${canonicalHeader(header.name)}`;
}

function textOf({ header, query, jsonField }: Place): string {
  if (query !== undefined) return `the parameter ${query.name}`;
  if (jsonField !== undefined) return `the field ${jsonField.path}`;
  return `the header ${header?.name ?? 'Authorization'}`;
}
