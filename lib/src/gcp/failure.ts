import { parseJson } from '../body.ts';
import type { Answered } from '../exchange.ts';
import { isCertificateProblem, TransportFault } from '../exchange.ts';
import { Failure } from '../reason.ts';

/** Why there was no answer. Always a Failure without the provider's words. */
export function faultOf(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof TransportFault)) return invalid(what);
  const { code } = error;
  if (code === 'EMSGSIZE') return new Failure('SourceResponseInvalid', `the answer is larger than a secret can be, ${what}`);
  if (isCertificateProblem(code))
    return new Failure('SourceUnreachable', `the certificate does not verify (${code}), ${what}: check the caBundle of the store`);
  const check = 'check the endpoints of the store and the network policies';
  return new Failure('SourceUnreachable', `Google cannot be reached (${code}), ${what}: ${check}`);
}

/** What a status alone says, whatever the body is: the service is in trouble, or something answers in its place. */
export function statusFailure(status: number, what: string): Failure | undefined {
  if (status === 429)
    return new Failure('SourceThrottled', `Google asks for fewer requests (HTTP 429), ${what}: the quota of the project is used up`);
  if (status >= 300 && status < 400)
    return new Failure('SourceUnreachable', `what answers for Google sends elsewhere (HTTP ${status}), which is not followed, ${what}`);
  if (status === 412 || status >= 500) return new Failure('SourceUnreachable', `Google has an error of its own (HTTP ${status}), ${what}`);
  return undefined;
}

export function invalid(what: string): Failure {
  return new Failure('SourceResponseInvalid', `the answer is not one of GCP Secret Manager, ${what}`);
}

export interface Question {
  /** For messages: `reading projects/p/secrets/mcp-github in store gcp`. */
  what: string;
  /** For messages: who asks, and what would let it. */
  who: string;
  role: string;
  /** For a version's own failures; undefined for the newest. */
  version?: string | undefined;
}

/**
 * What an answer that is not a success means (google.rpc.Status, https://cloud.google.com/apis/design/errors). Only a body of Google's
 * own shape counts as Google's word.
 *
 * | status | body's status                             | reason                                           |
 * |--------|-------------------------------------------|--------------------------------------------------|
 * | 429, 412, 3xx, 5xx | any                           | SourceThrottled, SourceUnreachable               |
 * | 400    | FAILED_PRECONDITION, «DESTROYED state»    | VersionDestroyed                                 |
 * | 400    | FAILED_PRECONDITION, «DISABLED state»     | VersionDisabled                                  |
 * | 400    | FAILED_PRECONDITION, other: its key in KMS | SourceDenied                                    |
 * | 401    | UNAUTHENTICATED                           | SourceDenied (the caller logs in anew once)      |
 * | 403    | PERMISSION_DENIED                         | SourceDenied                                     |
 * | 404    | NOT_FOUND, a version asked for            | VersionNotFound (the caller checks for a secret) |
 * | 404    | NOT_FOUND, none asked for                 | SecretNotFound                                   |
 * | 400    | INVALID_ARGUMENT: no such name can be     | the same two                                     |
 * | other  | any                                       | SourceResponseInvalid                            |
 */
export function answerFailure({ status, bytes }: Pick<Answered, 'status' | 'bytes'>, question: Question): Failure {
  const { what, who, role, version } = question;
  const byStatus = statusFailure(status, what);
  if (byStatus !== undefined) return byStatus;
  const { status: code, message = '' } = errorOf(bytes);
  if (code === 'FAILED_PRECONDITION') return unusable(message, question);
  if (code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED') {
    return new Failure(
      'SourceDenied',
      `${who} may not do this, ${what}: grant it ${role} on the secret, and check that there is such a secret, which Google does not tell`,
    );
  }
  if (code !== 'NOT_FOUND' && code !== 'INVALID_ARGUMENT') return invalid(what);
  if (version !== undefined) return new Failure('VersionNotFound', `there is no version or alias ${version}, ${what}`);
  return new Failure(
    'SecretNotFound',
    `there is no such secret, or it has no version yet, ${what}: check its project and its name, or add one with gcloud secrets versions add`,
  );
}

/** Google says the state in its message alone; only that word is taken from it. */
function unusable(message: string, { what, version }: Question): Failure {
  const which = version === undefined ? 'the newest version' : `version ${version}`;
  if (/\bDESTROYED\b/u.test(message)) return new Failure('VersionDestroyed', `${which} was destroyed, ${what}`);
  if (/\bDISABLED\b/u.test(message)) return new Failure('VersionDisabled', `${which} is disabled, ${what}: enable it, or add a version`);
  return new Failure('SourceDenied', `Google may not use the key that ${which} is encrypted with, ${what}: look at the key in Cloud KMS`);
}

function errorOf(bytes: Buffer): { status?: string; message?: string } {
  const body = parseJson(bytes.toString('utf8'));
  const { error } = (typeof body === 'object' && body !== null ? body : {}) as { error?: unknown };
  return typeof error === 'object' && error !== null ? error : {};
}
