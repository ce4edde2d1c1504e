import { z } from 'zod';
import type { Rule } from './rule.ts';
import { exactlyOne, withRules } from './rule.ts';
import { isWildcard, waysOf } from './ways.ts';
import type { Way } from './ways.ts';

const proxy = z.object({
  others: z
    .enum(['Tunnel', 'Refuse'])
    .default('Tunnel')
    .meta({ description: 'What becomes of calls to hosts that no credential of the pod is for. Of several credentials Refuse wins.' }),
});

const baseUrl = z.object({
  env: z
    .array(
      z.object({
        name: z
          .string()
          .min(1)
          .max(128)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .meta({ description: "The server's own setting for where its API is." }),
        path: withRules(z.string().max(256), [
          {
            cel: `self == '' || self.matches('^(/[A-Za-z0-9._~-]+)+/?$')`,
            message: 'a path starts with a slash and has no query, such as /api/v4',
            holds: (path) => path === '' || /^(\/[A-Za-z0-9._~-]+)+\/?$/u.test(path),
          },
        ])
          .default('')
          .meta({ description: 'What follows the host, such as /api/v4.' }),
      }),
    )
    .min(1)
    .max(4)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
});

const kinds = {
  hosts: z
    .object({})
    .optional()
    .meta({ description: "The pod's hosts file leads the exact hosts to the sidecar. Works with every client that reads it." }),
  proxy: proxy
    .optional()
    .meta({ description: 'HTTPS_PROXY and its kin lead to the sidecar. For wildcard hosts, and for clients that heed these variables.' }),
  baseUrl: baseUrl
    .optional()
    .meta({ description: "The server's own base-URL setting leads to the sidecar, in clear on the pod's loopback: no CA, no hosts file." }),
} satisfies Record<Way, z.ZodType>;

const way = withRules(z.object(kinds), [exactlyOne(Object.keys(kinds), 'way in')]);

const once = (kind: Way): Rule<readonly z.output<typeof way>[]> => ({
  cel: `self.filter(way, has(way.${kind})).size() <= 1`,
  message: `give the way in ${kind} once`,
  holds: (ways) => ways.filter((one) => one[kind] !== undefined).length <= 1,
});

/** How the server's calls reach the sidecar. */
export const via = withRules(
  z.array(way).min(1).max(3).meta({
    description:
      'The ways in which calls may reach the sidecar; the hosts file unless given. A pod gets those that work in it, and is refused when none does.',
    'x-kubernetes-list-type': 'atomic',
  }),
  (Object.keys(kinds) as Way[]).map(once),
).optional();
export type Via = z.output<typeof via>;

interface Reached {
  hosts: string[];
  via?: Via;
}

/** Which hosts a way can lead to. */
export const viaRules: readonly Rule<Reached>[] = [
  {
    cel: `!self.hosts.exists(host, host.startsWith('*.')) || (has(self.via) && self.via.exists(way, has(way.proxy)))`,
    message: 'a wildcard host cannot stand in a hosts file: add {proxy: {}} to via, or list each name',
    holds: (spec) => !spec.hosts.some(isWildcard) || waysOf(spec).includes('proxy'),
  },
  {
    cel: `!has(self.via) || !self.via.exists(way, has(way.baseUrl)) || (self.hosts.size() == 1 && !self.hosts[0].startsWith('*.'))`,
    message: 'a base URL leads to one host: list exactly one in hosts, without a wildcard',
    holds: (spec) => !waysOf(spec).includes('baseUrl') || (spec.hosts.length === 1 && !spec.hosts.some(isWildcard)),
  },
];
