import { z } from 'zod';
import type { Rule } from './rule.ts';
import { withRules } from './rule.ts';

const label = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';
const exactHost = `^([*][.])?${label}([.]${label})+(:[1-9][0-9]{0,4})?$`;

const matches = (pattern: string): Pick<Rule<string>, 'cel' | 'holds'> => ({
  cel: `!self.matches('${pattern}')`,
  holds: (host) => !new RegExp(pattern, 'u').test(host),
});

/** Each bad form of a host has a rule and a message of its own; the last rule catches the rest. The order is from particular to general. */
const rules: readonly Rule<string>[] = [
  { ...matches('://'), message: 'a host has no scheme: write api.github.com, not https://api.github.com' },
  { ...matches('/'), message: 'a host has no path: write api.github.com, not api.github.com/v1' },
  { ...matches('@'), message: 'a host has no user: write api.github.com, not user@api.github.com' },
  {
    cel: `!self.matches('[*]') || self.matches('^[*][.][^*.]+[.][^*]+$')`,
    message: 'a wildcard stands for whole names below a domain: write *.atlassian.net',
    holds: (host) => !host.includes('*') || /^[*][.][^*.]+[.][^*]+$/u.test(host),
  },
  { ...matches('[A-Z]'), message: 'write the host in lower case: api.github.com' },
  {
    ...matches('^[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+(:|$)|^[[]|:.*:'),
    message: 'a host is a DNS name, not an IP address: its certificate is checked against the name',
  },
  { ...matches('[.](:|$)'), message: 'a host has no trailing dot: write api.github.com' },
  { ...matches(':0+$'), message: 'port 0 cannot be called: leave the port out for 443, or write 1 to 65535' },
  {
    cel: `!self.matches(':[0-9]+$') || (self.matches(':[0-9]{1,6}$') && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535)`,
    message: 'a port is a number from 1 to 65535',
    holds: (host) => !/:[0-9]+$/u.test(host) || (/:[0-9]{1,6}$/u.test(host) && Number(host.slice(host.lastIndexOf(':') + 1)) <= 65_535),
  },
  {
    ...matches('^(localhost|.*[.]localhost|kubernetes[.]default([.]svc([.].*)?)?)(:|$)'),
    message: 'the pod itself and the API server are not upstreams',
  },
  {
    cel: `self.matches('${exactHost}')`,
    message: 'a host is a full DNS name such as api.github.com, with :port only when it is not 443',
    holds: (host) => new RegExp(exactHost, 'u').test(host),
  },
];

/** An upstream host, `name` or `name:port`, lower case; https; 443 unless it says otherwise. `*.name` is every name one label below it. */
export const host = withRules(
  z.string().min(1).max(259).meta({
    description:
      'Exact DNS name of an upstream, lower case, spoken to over https; with :port when it is not 443. With the way in proxy also *.domain.',
  }),
  rules,
);

export { splitHost } from './split-host.ts';
