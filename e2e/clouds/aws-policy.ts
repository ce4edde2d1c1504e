import { hasAudience } from './token.ts';
import type { Claims } from './token.ts';

/** A policy document (https://docs.aws.amazonaws.com/IAM/latest/UserGuide/reference_policies_elements.html), as far as the pages of the documentation use it. */
export interface Policy {
  Statement: Statement[];
}

interface Statement {
  Effect: 'Allow' | 'Deny';
  Action: string | string[];
  Resource?: string | string[];
  Principal?: { Federated?: string };
  Condition?: Partial<Record<'StringEquals' | 'StringLike', Record<string, string | string[]>>>;
}

export interface Role {
  trust: Policy;
  policies: Policy[];
}

const list = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

/** `*` and `?` as IAM has them. */
function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/gu, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'u').test(text);
}

/** An explicit Deny wins, and what nothing allows is denied. */
export function allows({ policies }: Role, action: string, resource: string): boolean {
  const statements = policies
    .flatMap(({ Statement: all }) => all)
    .filter((statement) => {
      const named = list(statement.Action).some((pattern) => matches(pattern, action));
      return named && list(statement.Resource).some((pattern) => matches(pattern, resource));
    });
  return statements.some(({ Effect }) => Effect === 'Allow') && !statements.some(({ Effect }) => Effect === 'Deny');
}

/** Whether a token of the issuer may assume the role: its provider is the principal, and every condition on `aud` and `sub` holds. */
export function trusts({ trust }: Role, claims: Claims): boolean {
  const provider = claims.iss.replace(/^https:\/\//u, '');
  return trust.Statement.some(({ Effect, Action, Principal, Condition = {} }) => {
    const isFor =
      Effect === 'Allow' &&
      list(Action).includes('sts:AssumeRoleWithWebIdentity') &&
      Principal?.Federated?.endsWith(`:oidc-provider/${provider}`) === true;
    return (
      isFor &&
      holds(Condition.StringEquals, provider, claims, (pattern, text) => pattern === text) &&
      holds(Condition.StringLike, provider, claims, matches)
    );
  });
}

function holds(
  conditions: Record<string, string | string[]> | undefined,
  provider: string,
  claims: Claims,
  compare: (pattern: string, text: string) => boolean,
): boolean {
  return Object.entries(conditions ?? {}).every(([key, patterns]) =>
    list(patterns).some((pattern) =>
      key === `${provider}:aud` ? hasAudience(claims, pattern) : key === `${provider}:sub` && compare(pattern, claims.sub),
    ),
  );
}
