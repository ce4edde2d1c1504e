import type { Api, Call, Place } from './api.ts';

/** A part of a request that is searched for values, and where it stood. */
export interface Part {
  where: string;
  text: string;
}

export interface Taken {
  credential: string | undefined;
  /** Everything but the credential at its own place. */
  rest: Part[];
}

/** Takes the credential from the first of the API's places that holds one, once, and leaves the rest. */
export function take(api: Api, call: Call): Taken {
  const parts = partsOf(call);
  for (const place of api.places) {
    const index = parts.findIndex((part) => at(place, part) !== undefined);
    const part = parts[index];
    if (part !== undefined) return { credential: at(place, part), rest: parts.toSpliced(index, 1) };
  }
  return { credential: undefined, rest: parts };
}

function partsOf(call: Call): Part[] {
  const parameters = call.url.search.slice(1).split('&').filter(Boolean);
  return [
    { where: 'path', text: call.url.pathname },
    ...parameters.map((text) => ({ where: `query ${name(text)}`, text })),
    ...headers(call.rawHeaders).map(([header, text]) => ({ where: `header ${header}`, text })),
    { where: 'body', text: call.body.toString('latin1') },
  ];
}

function headers(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) pairs.push([(raw[index] ?? '').toLowerCase(), raw[index + 1] ?? '']);
  return pairs;
}

function at(place: Place, part: Part): string | undefined {
  if ('query' in place) return part.where === `query ${place.query}` ? decode(part.text.slice(part.text.indexOf('=') + 1)) : undefined;
  const held = part.where === `header ${place.header}` && part.text.toLowerCase().startsWith(place.prefix.toLowerCase());
  return held ? part.text.slice(place.prefix.length) : undefined;
}

function name(parameter: string): string {
  return decode(parameter.split('=', 1)[0] ?? '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
