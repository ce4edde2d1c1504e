import { z } from 'zod';
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

const allowed = z
  .object({
    methods: z
      .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
      .min(1)
      .max(7)
      .optional()
      .meta({ description: 'All methods, unless given.', 'x-kubernetes-list-type': 'set' }),
    pathPrefix,
  })
  .meta({ description: 'Calls that may go out.' });
export type Allowed = z.output<typeof allowed>;

export const allow = z.array(allowed).min(1).max(16).optional().meta({
  description:
    'The calls that may go out to the hosts, with the credential or without; all others get 403 CallNotAllowed. All calls, unless given.',
  'x-kubernetes-list-type': 'atomic',
});
