import type { Place } from '@rekey/crds/credential.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import { fieldOf } from '../http/fields.ts';
import type { Fields } from '../http/fields.ts';
import type { Reached, Span } from './reach.ts';
import { reach } from './reach.ts';

/** A larger body with a jsonField is refused: it is read whole before any of it is sent. */
export const mostRead = 1024 * 1024;

/** Where a value is written in a body: instead of the bytes from here to there, behind `name` when the field is put in. */
export interface Edit extends Span {
  /** `"token":`, or '' when the field is there already. */
  name: string;
  /** It is put in before other fields of its object. */
  isFollowed: boolean;
}

/** `application/json`, or any other type that says so at its end (RFC 6839 section 3.1). */
export function isJSON(fields: Fields): boolean {
  const type = fieldOf(fields, 'content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  return type === 'application/json' || type.endsWith('+json');
}

/** Why the body cannot be looked into, as its head says already. */
export function objectionTo(fields: Fields, length: number): Failure | undefined {
  const coding = fieldOf(fields, 'content-encoding')?.toLowerCase() ?? 'identity';
  if (coding !== 'identity') return new Failure('BodyNotSearchable');
  return length > mostRead ? new Failure('BodyTooLarge') : undefined;
}

/** Finds the places of a credential in a JSON body. Throws where a field is there twice: which of them the upstream takes, nobody knows. */
export function editsOf(body: Buffer, places: readonly Place[], placeholders: readonly string[]): Edit[] {
  const edits: Edit[] = [];
  const mayHold = placeholders.some((text) => body.includes(text));
  for (const { jsonField, when } of places) {
    if (jsonField === undefined || (when !== 'Always' && !mayHold)) continue;
    const path = jsonField.path.split('.');
    const edit = editOf(body, reach(body, path), when === 'Always' ? undefined : placeholders, path);
    if (edit !== undefined) edits.push(edit);
  }
  return edits;
}

/**
 * What to write at one place. Without `placeholders` the value goes into every call.
 *
 * | the body | the field is there | holds exactly the placeholder | its object is there | when: Placeholder | when: Always   |
 * |----------|--------------------|-------------------------------|---------------------|-------------------|----------------|
 * | not JSON | -                  | -                             | -                   | nothing           | nothing        |
 * | JSON     | once               | yes                           | yes                 | replaced          | replaced       |
 * | JSON     | once               | no                            | yes                 | nothing           | replaced       |
 * | JSON     | twice              | one of them                   | yes                 | RequestInvalid    | RequestInvalid |
 * | JSON     | twice              | none                          | yes                 | nothing           | RequestInvalid |
 * | JSON     | no                 | -                             | once                | nothing           | put in         |
 * | JSON     | no                 | -                             | twice               | nothing           | RequestInvalid |
 * | JSON     | no                 | -                             | no                  | nothing           | nothing        |
 */
function editOf(
  body: Buffer,
  reached: Reached | undefined,
  placeholders: readonly string[] | undefined,
  path: readonly string[],
): Edit | undefined {
  if (reached === undefined) return undefined;
  const { values, lacking } = reached;
  if (placeholders !== undefined && !values.some((span) => isPlaceholder(body, span, placeholders))) return undefined;
  if (values.length + lacking.length > 1) throw new Failure('RequestInvalid', `the body holds the field ${path.join('.')} more than once`);
  const [value] = values;
  if (value !== undefined) return { ...value, name: '', isFollowed: false };
  const [object] = lacking;
  return object && { from: object.at, to: object.at, name: `"${path.at(-1)}":`, isFollowed: !object.isEmpty };
}

/** As it is written in the body: no program escapes the characters of a placeholder. */
function isPlaceholder(body: Buffer, { from, to }: Span, placeholders: readonly string[]): boolean {
  return placeholders.some((text) => text.length === to - from - 2 && body.toString('latin1', from, to) === `"${text}"`);
}

/** What is written, and where. */
export interface Writing {
  edit: Edit;
  value: SecretValue;
}

/** The body with the values, as pieces: all bytes beside them are those of the body. */
export function mended(body: Buffer, writings: readonly Writing[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  let before: Edit | undefined;
  for (const { edit, value } of writings.toSorted((a, b) => a.edit.from - b.edit.from)) {
    // The same place once more, or one within a field that is replaced whole.
    if (edit.from < at || (before !== undefined && before.from === edit.from && before.name === edit.name)) continue;
    const isNext = before !== undefined && before.from === edit.from && !before.isFollowed;
    pieces.push(body.subarray(at, edit.from), Buffer.from(`${isNext ? ',' : ''}${textOf(edit, value)}`));
    at = edit.to;
    before = edit;
  }
  return [...pieces, body.subarray(at)].filter((piece) => piece.length > 0);
}

const textOf = ({ name, isFollowed }: Edit, value: SecretValue): string =>
  `${name}${JSON.stringify(value.reveal())}${isFollowed ? ',' : ''}`;
