import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** The key's name in the issuer's set. */
export const keyId = 'k1';

/** A token as the API server makes it (RFC 7515, ES256): these claims for ten minutes, signed with a P-256 key. */
export function signedToken(claims: object, key: KeyObject): string {
  const seconds = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'ES256', typ: 'JWT', kid: keyId },
    { iat: seconds, exp: seconds + 600, ...claims },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
