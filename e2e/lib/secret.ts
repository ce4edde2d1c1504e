import { randomBytes } from 'node:crypto';

/** What every credential of this run begins with. It stands nowhere else, so finding it, in any form, is finding a leaked value. */
export const canary = `rkc${randomBytes(9).toString('hex')}`;

/**
 * A new credential. The characters after the canary make its URL, JSON and base64 forms differ from the raw one; every place
 * that Rekey can write to may carry them.
 */
export function newSecret(): string {
  return `${canary}-${randomBytes(12).toString('base64url')}+/="`;
}

/** The canary in each form in which a value could leak: raw (also the JSON and URL form of its letters), base64 at its three alignments, hex. */
export function forms(text: string): { form: string; bytes: Buffer }[] {
  const base64 = [0, 1, 2].map((shift) => {
    const whole = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).toString('base64');
    // The first characters mix with the shift and the last ones with what follows: only those between depend on the text alone.
    return whole.slice(Math.ceil((shift * 4) / 3), Math.floor(((shift + text.length) * 4) / 3)).replace(/=+$/u, '');
  });
  return [
    { form: 'raw', bytes: Buffer.from(text) },
    ...base64.map((encoded) => ({ form: 'base64', bytes: Buffer.from(encoded) })),
    { form: 'hex', bytes: Buffer.from(Buffer.from(text).toString('hex')) },
    { form: 'utf16', bytes: Buffer.from(text, 'utf16le') },
  ];
}
