import type { SecretValue } from '@rekey/lib/secret-value.ts';

/** A shorter text than this is no secret and stands in many answers by chance. */
const shortest = 8;

const known = new WeakMap<SecretValue, Buffer[]>();

/**
 * The forms in which an answer may hold a value: as it is, escaped for JSON, encoded for a URL (a space as %20 or +), and in base64 at its
 * three alignments, without the characters that depend on what stands beside it. Longest first, so that the longer of two that begin at
 * one place is found.
 */
export function needlesOf(value: SecretValue): Buffer[] {
  const needles = known.get(value) ?? formsOf(value.reveal());
  known.set(value, needles);
  return needles;
}

function formsOf(text: string): Buffer[] {
  if (text.length < shortest) return [];
  const encoded = encodeURIComponent(text);
  const forms = [
    text,
    JSON.stringify(text).slice(1, -1),
    text.replaceAll('/', String.raw`\/`),
    encoded,
    encoded.replaceAll('%20', '+'),
    encoded.replaceAll(/%[0-9A-F]{2}/gu, (code) => code.toLowerCase()),
    ...[0, 1, 2].flatMap((shift) => base64(text, shift)),
  ];
  return [...new Set(forms)].map((form) => Buffer.from(form, 'latin1')).toSorted((a, b) => b.length - a.length);
}

/** Standard and URL-safe. What the neighbours have a part in is cut off; at the start of a text whole, with its padding, too. */
function base64(text: string, shift: number): string[] {
  const whole = Buffer.concat([Buffer.alloc(shift), Buffer.from(text, 'latin1')]).toString('base64');
  const core = whole.slice(Math.ceil((shift * 4) / 3), Math.floor(((shift + text.length) * 4) / 3)).replace(/=+$/u, '');
  const forms = shift === 0 ? [whole, whole.replace(/=+$/u, ''), core] : [core];
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}
