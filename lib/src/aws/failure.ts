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
  return new Failure(
    'SourceUnreachable',
    `AWS cannot be reached (${code}), ${what}: check the endpoints of the store and the network policies`,
  );
}

/** What a status alone says, whatever the body is: the service is in trouble, or something answers in its place. */
export function statusFailure(status: number, what: string): Failure | undefined {
  if (status === 429) return new Failure('SourceThrottled', `AWS asks for fewer requests (HTTP 429), ${what}`);
  if (status >= 300 && status < 400)
    return new Failure('SourceUnreachable', `what answers for AWS sends elsewhere (HTTP ${status}), which is not followed, ${what}`);
  if (status === 412 || status >= 500) return new Failure('SourceUnreachable', `AWS has an error of its own (HTTP ${status}), ${what}`);
  return undefined;
}

function invalid(what: string): Failure {
  return new Failure('SourceResponseInvalid', `the answer is not one of AWS Secrets Manager, ${what}`);
}

/** The identity is over or was never right: a new login may help. */
const identity: ReadonlySet<string> = new Set([
  'ExpiredTokenException',
  'ExpiredToken',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
]);
const denials: ReadonlySet<string> = new Set([
  'AccessDeniedException',
  'AccessDenied',
  'IncompleteSignature',
  'OptInRequired',
  ...identity,
]);
const throttles: ReadonlySet<string> = new Set(['ThrottlingException', 'Throttling', 'TooManyRequestsException', 'RequestLimitExceeded']);

/** The name of an error of the SDK; the only part of it that may go on. */
export function nameOf(error: unknown): string {
  return error instanceof Error && /^\w{1,64}$/u.test(error.name) ? error.name : 'Unknown';
}

export function isIdentity(error: unknown): boolean {
  return identity.has(nameOf(error));
}

export interface Question {
  /** For messages: `mcp/github in store aws`. */
  what: string;
  /** For messages: the role that asks, and the action that its policy must allow. */
  role: string;
  action: string;
  version?: string | undefined;
}

/**
 * What an error of the SDK means (https://docs.aws.amazonaws.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors).
 *
 * | error                                                     | reason                                           |
 * |-----------------------------------------------------------|--------------------------------------------------|
 * | ResourceNotFoundException, no version asked for           | SecretNotFound                                   |
 * | ResourceNotFoundException, a version asked for            | VersionNotFound (the caller checks for a secret) |
 * | InvalidRequestException                                   | VersionDeleted: the secret is about to be deleted |
 * | AccessDenied, DecryptionFailure (KMS), a bad identity     | SourceDenied                                     |
 * | Throttling and its kin                                    | SourceThrottled                                  |
 * | InternalServiceError                                      | SourceUnreachable                                |
 * | InvalidParameterException                                 | VersionNotFound or SecretNotFound: no such name can be |
 * | any other                                                 | SourceResponseInvalid                            |
 */
export function sdkFailure(error: unknown, question: Question): Failure {
  const { what, role, action } = question;
  if (error instanceof Failure || error instanceof TransportFault) return faultOf(error, `reading ${what}`);
  const name = nameOf(error);
  if (name === 'ResourceNotFoundException' || name === 'InvalidParameterException') return missing(question);
  if (name === 'InvalidRequestException')
    return new Failure('VersionDeleted', `${what} is marked for deletion: restore it, or write a new one`);
  if (name === 'DecryptionFailure')
    return new Failure('SourceDenied', `${role} may not decrypt ${what}: let its policy allow kms:Decrypt on the key`);
  if (denials.has(name)) return new Failure('SourceDenied', `${role} may not read ${what} (${name}): let its policy allow ${action}`);
  if (throttles.has(name)) return new Failure('SourceThrottled', `AWS asks for fewer requests, reading ${what}`);
  if (name === 'InternalServiceError') return new Failure('SourceUnreachable', `AWS has an error of its own, reading ${what}`);
  return invalid(`reading ${what}`);
}

export function missing({ what, version }: Question): Failure {
  if (version !== undefined)
    return new Failure('VersionNotFound', `there is no version ${version} of ${what}: it never was, or has lost its staging labels`);
  return new Failure(
    'SecretNotFound',
    `there is no secret ${what}, or it has no value yet: check its name and the region of the store, or write it with aws secretsmanager`,
  );
}
