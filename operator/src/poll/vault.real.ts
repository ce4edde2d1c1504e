import type { RealVault } from '@rekey/lib/vault.real.ts';

/**
 * Lets a service account's tokens log in as in production, without a cluster that reviews them: the JWT method takes the same
 * request at the same path as the Kubernetes method, and checks the signature by key.
 */
export async function trustTokens(
  vault: RealVault,
  publicKey: string,
  role: { name: string; subject: string; policy: string },
): Promise<void> {
  await vault.call('POST', 'sys/auth/kubernetes', { type: 'jwt' });
  await vault.call('POST', 'auth/kubernetes/config', { jwt_validation_pubkeys: [publicKey] });
  await vault.call('PUT', 'sys/policies/acl/operator', { policy: role.policy });
  await vault.call('POST', `auth/kubernetes/role/${role.name}`, {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_subject: role.subject,
    bound_audiences: ['vault'],
    token_policies: ['operator'],
    token_type: 'batch',
    token_ttl: '10m',
  });
}
