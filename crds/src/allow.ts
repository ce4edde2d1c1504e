import { z } from 'zod';
import type { Rule } from './rule.ts';
import { withRules } from './rule.ts';

const pathPrefix = withRules(
  z.string().min(1).max(256).optional().meta({
    description:
      'Whole segments of the path: /repos/acme holds for /repos/acme and /repos/acme/tools, not for /repos/acme-old. All paths, unless given.',
  }),
  [
    {
      cel: `self.matches('^/([A-Za-z0-9._~!$&()*+,=:@/-]|%[0-9A-Fa-f]{2})*$')`,
      message: 'a path prefix starts with a slash and has no query: /repos/acme',
      holds: (path) => path === undefined || /^\/([A-Za-z0-9._~!$&()*+,=:@/-]|%[0-9A-Fa-f]{2})*$/u.test(path),
    },
    {
      cel: `!self.contains('//') && !self.split('/').exists(part, part == '.' || part == '..')`,
      message: 'a path prefix has no empty segment, no . and no ..: write the path that the upstream sees in the end',
      holds: (path) => path === undefined || !/\/\/|\/[.][.]?(\/|$)/u.test(path),
    },
  ],
);

const fields = z
  .object({
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
      .min(1)
      .max(7)
      .optional()
      .meta({ description: 'All methods, unless given.', 'x-kubernetes-list-type': 'set' }),
    pathPrefix,
    upgrade: z.enum(['WebSocket']).optional().meta({
      description: 'Whether a call may begin a WebSocket, besides what else it may do. What that carries then is not looked at.',
    }),
  })
  .meta({ description: 'Calls that may go out.' });
const beginsWithGet: Rule<z.output<typeof fields>> = {
  cel: `!has(self.upgrade) || !has(self.methods) || 'GET' in self.methods`,
  message: 'a WebSocket begins with GET: add it to methods, or leave methods out',
  holds: ({ upgrade, methods }) => upgrade === undefined || methods === undefined || methods.includes('GET'),
};
const allowed = withRules(fields, [beginsWithGet]);
export type Allowed = z.output<typeof allowed>;

export const allow = z.array(allowed).min(1).max(16).optional().meta({
  description:
    'The calls that may go out to the hosts, with the credential or without; all others get 403 CallNotAllowed. All calls, unless given.',
  'x-kubernetes-list-type': 'atomic',
});

interface Searched {
  allow?: Allowed[] | undefined;
  scrubResponses?: boolean | undefined;
}

export const allowRules: readonly Rule<Searched>[] = [
  {
    cel: '!has(self.scrubResponses) || !self.scrubResponses || !has(self.allow) || !self.allow.exists(entry, has(entry.upgrade))',
    message: 'scrubResponses cannot search what a WebSocket carries: leave out scrubResponses, or upgrade in allow',
    holds: ({ allow, scrubResponses }) => scrubResponses !== true || !(allow ?? []).some(({ upgrade }) => upgrade !== undefined),
  },
];
