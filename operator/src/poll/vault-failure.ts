import { authOf } from '@rekey/crds/store.ts';
import type { VaultStore } from '@rekey/crds/store.ts';
import { isCertificateProblem } from '@rekey/lib/exchange.ts';
import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { HttpAnswer } from './https.ts';
import type { PollContext } from './poll.ts';

export interface Where {
  context: PollContext;
  vault: VaultStore;
  path: string;
}

/** What came back from a login instead of a token. */
export class LoginError extends Error {
  readonly answer: unknown;
  readonly path: string;

  constructor(answer: unknown, path: string) {
    super('the login failed');
    this.name = 'LoginError';
    this.answer = answer;
    this.path = path;
  }
}

/** Another try may help after 412 (a standby that lags), 429 and 5xx, except 503, which is a seal; and when there was no answer. */
export function isTransient(error: unknown): boolean {
  if (error instanceof LoginError) return isTransient(error.answer);
  if (error instanceof HttpAnswer) return error.status === 412 || error.status === 429 || (error.status >= 500 && error.status !== 503);
  return typeof error === 'object' && error !== null && 'code' in error && !isCertificateProblem(errorCode(error));
}

/** The sentence is ours: what a vault answers may repeat what was sent to it. */
export function failureOf(error: unknown, where: Where): Failure {
  if (error instanceof Failure) return error;
  return error instanceof LoginError ? loginFailure(error, where) : readFailure(error, where);
}

/**
 * Why a login failed.
 *
 * | answer                     | reason       |
 * |----------------------------|--------------|
 * | 400-499, except 412 or 429 | SourceDenied |
 * | other, or none             | as of a read |
 */
function loginFailure({ answer, path }: LoginError, where: Where): Failure {
  const status = answer instanceof HttpAnswer ? answer.status : 0;
  if (status < 400 || status > 499 || status === 412 || status === 429) return readFailure(answer, { ...where, path });
  const { operatorRole: role, audience } = authOf(where.vault);
  return new Failure(
    'SourceDenied',
    `${name(where)} refuses the operator's login with role ${role} at ${path} (HTTP ${status}): check that the role exists, ` +
      `is bound to service account ${where.context.identity} and demands audience ${audience}`,
  );
}

/**
 * Why a read failed.
 *
 * | answer                     | reason                |
 * |----------------------------|-----------------------|
 * | none, 3xx, 412, other 5xx  | SourceUnreachable     |
 * | 503                        | SourceSealed          |
 * | 429                        | SourceThrottled       |
 * | 403                        | SourceDenied          |
 * | 404                        | SecretNotFound        |
 * | other, or not metadata     | SourceResponseInvalid |
 */
function readFailure(error: unknown, where: Where): Failure {
  if (error instanceof HttpAnswer) return new Failure(...answered(error.status, where));
  if (error instanceof SyntaxError || (error instanceof Error && error.name.includes('ZodError')))
    return new Failure(...answered(200, where));
  const what = isCertificateProblem(errorCode(error)) ? 'its certificate does not verify' : 'it does not answer';
  const check = isCertificateProblem(errorCode(error))
    ? 'spec.vault.caBundle and the name in spec.vault.address'
    : 'spec.vault.address and the network policies';
  return new Failure('SourceUnreachable', `${name(where)}: ${what} (${codeOf(error)}): check ${check}`);
}

type Answered = ConstructorParameters<typeof Failure>;

function answered(status: number, where: Where): Answered {
  const { operatorRole: role } = authOf(where.vault);
  const byStatus: Record<number, Answered> = {
    403: ['SourceDenied', `${name(where)}: role ${role} may not read ${where.path}: its policy needs the capability read on that path`],
    404: [
      'SecretNotFound',
      `there is no secret at ${where.path.replace('/metadata/', '/')} in ${name(where)}: check spec.source.vault, or write the secret with vault kv put`,
    ],
    412: ['SourceUnreachable', `${name(where)}: the node that answers lags behind (HTTP 412)`],
    429: ['SourceThrottled', `${name(where)} asks for fewer requests (HTTP 429): raise spec.pollIntervalSeconds or its rate limit`],
    503: ['SourceSealed', `${name(where)} is sealed or has no active node (HTTP 503): unseal it`],
  };
  const known = byStatus[status];
  if (known !== undefined) return known;
  if (status >= 500) return ['SourceUnreachable', `${name(where)} answers with an error of its own (HTTP ${status})`];
  if (status >= 300 && status <= 399) {
    return [
      'SourceUnreachable',
      `${name(where)} sends the operator elsewhere (HTTP ${status}), which is not followed: name the host in spec.vault.redirectHosts, or set spec.vault.address to the active node`,
    ];
  }
  return [
    'SourceResponseInvalid',
    `${name(where)} answers ${where.path} with something that is not KV version 2 metadata (HTTP ${status}): check the mount`,
  ];
}

function name({ context, vault }: Where): string {
  return `MCPCredentialStore ${context.store.metadata.name} (${vault.address})`;
}

/** ECONNREFUSED and the like; an abort here is our own deadline. */
function codeOf(error: unknown): string {
  const code = errorCode(error);
  if (code === 'ABORT_ERR' || code === 'AbortError' || code === 'TimeoutError') return 'no answer in time';
  return /^[A-Za-z0-9_]{1,64}$/u.test(code) ? code : 'Unknown';
}
