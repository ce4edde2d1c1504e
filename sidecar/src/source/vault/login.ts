import { Failure } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Answer } from './answer.ts';
import { fields, isRefusal, troubled } from './answer.ts';

/** The token in Vault's answer to a login, and its lease in milliseconds, or a Failure. */
export function tokenOf(answer: Answer, what: string, role: string): { secret: SecretValue; lease: number } {
  const { status, body } = answer;
  if ([400, 403, 404].includes(status) && isRefusal(answer)) {
    throw new Failure(
      'SourceDenied',
      `${what} refuses the login with role ${role}: check that it exists, its audience and who it is bound to`,
    );
  }
  if (status !== 200) throw troubled(answer, what);
  const { client_token: secret, lease_duration: seconds } = fields(fields(body)['auth']);
  if (typeof secret !== 'string' || secret === '' || typeof seconds !== 'number') {
    throw new Failure('SourceResponseInvalid', `the answer to a login at ${what} holds no token`);
  }
  // A lease of 0 never ends: a root token, or one without a TTL.
  return { secret: new SecretValue(secret), lease: seconds === 0 ? Number.POSITIVE_INFINITY : seconds * 1000 };
}
