import { createPublicKey, verify } from 'node:crypto';
import type { webcrypto } from 'node:crypto';

/** A public key of a JWKS, with its `kid`. */
export type Key = webcrypto.JsonWebKey & { kid?: string };

export interface Claims {
  iss: string;
  sub: string;
  aud: string | string[];
  exp: number;
  [claim: string]: unknown;
}

/** Who issues the tokens of the cluster, and with which keys (https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery). */
export interface Issuer {
  issuer: string;
  keys: () => Promise<readonly Key[]>;
}

const algorithms: Readonly<Record<string, { hash: string; dsaEncoding?: 'ieee-p1363' }>> = {
  RS256: { hash: 'RSA-SHA256' },
  ES256: { hash: 'SHA256', dsaEncoding: 'ieee-p1363' },
};

/** The claims of a token that the issuer signed and that is in its time; undefined for any other (RFC 7519 section 7.2). */
export async function claimsOf(token: string, { issuer, keys }: Issuer, now: number = Date.now()): Promise<Claims | undefined> {
  const [head = '', body = '', signature = ''] = token.split('.');
  const claims = parsed(body) as Claims | undefined;
  const isFresh = typeof claims?.exp === 'number' && claims.exp * 1000 > now;
  if (!isFresh || claims.iss !== issuer) return undefined;
  return isSigned(parsed(head) as Header | undefined, `${head}.${body}`, signature, await keys()) ? claims : undefined;
}

interface Header {
  alg?: string;
  kid?: string;
}

function isSigned({ alg = '', kid }: Header = {}, text: string, signature: string, keys: readonly Key[]): boolean {
  const algorithm = algorithms[alg];
  const key = keys.find((candidate) => candidate.kid === kid);
  if (algorithm === undefined || key === undefined) return false;
  const { hash, ...encoding } = algorithm;
  return verify(
    hash,
    Buffer.from(text),
    { key: createPublicKey({ key, format: 'jwk' }), ...encoding },
    Buffer.from(signature, 'base64url'),
  );
}

export function hasAudience({ aud }: Claims, audience: string): boolean {
  return (Array.isArray(aud) ? aud : [aud]).includes(audience);
}

function parsed(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}
