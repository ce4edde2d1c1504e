import { z } from 'zod';
import type { Rule } from './rule.ts';
import type { CredentialSource } from './source.ts';
import { userKeyOf } from './source.ts';
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
    'Basic authentication: the placeholder is the user, the password or both inside the base64 of Authorization (RFC 7617), and what stands beside it stays. With userKey of the source the user is the one of the secret.',
});
const when = z.enum(['Placeholder', 'Always']).optional().meta({
  description: 'Placeholder, unless given: only where the server has put it. Always: into every call, whatever the server has put there.',
});
const kinds = { header: header.optional(), basic: basic.optional(), query: query.optional(), jsonField: jsonField.optional() };
export const place = withRules(
  z.object({ ...kinds, when }).meta({ description: 'A place in the request where the placeholder is replaced by the value.' }),
  [exactlyOne(Object.keys(kinds), 'place')],
);
export type Place = z.output<typeof place>;

interface Placed {
  source: CredentialSource;
  inject: Place[];
  rotation?: { probe?: unknown } | undefined;
}

const hasUser = ['vault', 'awsSecretsManager', 'gcpSecretManager', 'kubernetesSecret']
  .map((kind) => `(has(self.source.${kind}) && has(self.source.${kind}.userKey))`)
  .join(' || ');
const isProbed = ({ header, query, basic }: Place, source: CredentialSource): boolean =>
  header !== undefined || query !== undefined || (basic !== undefined && userKeyOf(source) !== undefined);

export const placeRules: readonly Rule<Placed>[] = [
  {
    cel: `self.inject.all(place, !has(place.basic) || !has(place.when) || place.when != 'Always') || ${hasUser}`,
    message: 'basic needs what the server puts beside the placeholder: leave out when: Always, give the source a userKey, or use header',
    holds: ({ source, inject }) =>
      userKeyOf(source) !== undefined || inject.every(({ basic, when }) => basic === undefined || when !== 'Always'),
  },
  {
    cel: `!(${hasUser}) || self.inject.exists(place, has(place.basic))`,
    message: 'userKey is the user of basic authentication: give inject a place {basic: {}}, or leave out userKey',
    holds: ({ source, inject }) => userKeyOf(source) === undefined || inject.some(({ basic }) => basic !== undefined),
  },
  {
    cel: `!has(self.rotation) || !has(self.rotation.probe) || self.inject.exists(place, has(place.header) || has(place.query) || (has(place.basic) && (${hasUser})))`,
    message:
      'a probe has no user to put beside the value, and no body: leave out rotation.probe, give the source a userKey for basic, or give a header or query in inject',
    holds: ({ source, inject, rotation }) => rotation?.probe === undefined || inject.some((place) => isProbed(place, source)),
  },
];
