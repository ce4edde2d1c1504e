import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { signedToken } from '@rekey/lib/token.fixture.ts';

/** The API server's key, which the JWT method verifies tokens with. */
export const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });

export const publicKey = signer.publicKey.export({ type: 'spki', format: 'pem' });

/** A token as the API server makes it for a pod, as far as the JWT method looks. */
export function jwtOf(claims: object, key: KeyObject = signer.privateKey): string {
  return signedToken({ aud: 'vault', sub: 'system:serviceaccount:tools:default', ...claims }, key);
}
