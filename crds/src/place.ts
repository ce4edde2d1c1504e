import { z } from 'zod';
import type { Rule } from './rule.ts';
import { exactlyOne, withRules } from './rule.ts';

/** Headers that frame or route a request: a credential is never one of them (RFC 9110 section 7.6.1, RFC 9112 section 6). */
const routingHeaders = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
];

const headerName = withRules(z.string().min(1).max(128), [
  {
    cel: `self.matches('^[A-Za-z0-9!#$%&*+.^_|~-]+$')`,
    message: 'a header name is a token such as Authorization or X-Api-Key (RFC 9110 section 5.1)',
    holds: (name) => /^[A-Za-z0-9!#$%&*+.^_|~-]+$/u.test(name),
  },
  {
    cel: `!(self.lowerAscii() in [${routingHeaders.map((name) => `'${name}'`).join(', ')}])`,
    message: 'this header frames or routes the request and cannot carry a credential',
    holds: (name) => !routingHeaders.includes(name.toLowerCase()),
  },
]);

const header = z.object({
  name: headerName,
  prefix: z
    .string()
    .max(64)
    .regex(/^[ -~]*$/)
    .optional()
    .meta({ description: 'What stands before the value, such as "Bearer ".' }),
});
const query = z.object({
  name: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[A-Za-z0-9._~-]+$/)
    .meta({ description: 'Name of the query parameter.' }),
});
const jsonPath = withRules(z.string().min(1).max(128), [
  {
    cel: `self.matches('^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$')`,
    message: 'write the field as names with dots between them, such as auth.token; a field within a list has no path',
    holds: (path) => /^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$/u.test(path),
  },
]).meta({ description: 'Field of a request body in JSON, dotted when nested: auth.token.' });
const jsonField = z.object({ path: jsonPath });
const basic = z.object({}).meta({
  description:
    'Basic authentication: the placeholder is the user or the password inside the base64 of Authorization (RFC 7617), and what stands beside it stays.',
});
const when = z.enum(['Placeholder', 'Always']).optional().meta({
  description: 'Placeholder, unless given: only where the server has put it. Always: into every call, whatever the server has put there.',
});
const kinds = { header: header.optional(), basic: basic.optional(), query: query.optional(), jsonField: jsonField.optional() };
const hasPartner: Rule<{ basic?: object | undefined; when?: string | undefined }> = {
  cel: `!has(self.basic) || !has(self.when) || self.when != 'Always'`,
  message: 'basic needs what the server puts beside the placeholder: leave out when: Always, or use header',
  holds: (place) => place.basic === undefined || place.when !== 'Always',
};
export const place = withRules(
  z.object({ ...kinds, when }).meta({ description: 'A place in the request where the placeholder is replaced by the value.' }),
  [exactlyOne(Object.keys(kinds), 'place'), hasPartner],
);
export type Place = z.output<typeof place>;

interface Probed {
  inject: Place[];
  rotation?: { probe?: unknown } | undefined;
}

export const placeRules: readonly Rule<Probed>[] = [
  {
    cel: '!has(self.rotation) || !has(self.rotation.probe) || self.inject.exists(place, has(place.header) || has(place.query))',
    message: 'a probe has no user to put beside the value, and no body: leave out rotation.probe, or give a header or query in inject',
    holds: ({ inject, rotation }) =>
      rotation?.probe === undefined || inject.some(({ header, query }) => header !== undefined || query !== undefined),
  },
];
