import type { Call } from '../servers/calls.ts';
import type { Result } from './session.ts';

/** `refusedOnPurpose`: the server is excused, and the failure says that its credential is suspended. */
export type Verdict = { is: 'succeeded' } | { is: 'failed' | 'refusedOnPurpose'; message: string };

const longest = 400;

export function judgeResult(call: Call, number: number, { isError, text }: Result, excused: boolean): Verdict {
  if (!isError && call.succeeded(text, number)) return { is: 'succeeded' };
  return failure(`${isError ? 'error result' : 'unexpected result'}: ${text}`, excused);
}

export function judgeError(error: unknown, excused: boolean): Verdict {
  return failure(describe(error), excused);
}

function failure(message: string, excused: boolean): Verdict {
  const suspended = excused && /\bsuspended\b/iu.test(message);
  return { is: suspended ? 'refusedOnPurpose' : 'failed', message: withoutTokens(message).slice(0, longest) };
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return `${error.name}: ${error.message}${cause}`;
}

/** Whatever looks like a token is cut out: by its vendor's prefix, or as a long run of its characters with a digit. A placeholder may stay. */
export function withoutTokens(message: string): string {
  return message
    .replaceAll(/(?:gh[pousr]_|github_pat_|ntn_|secret_|xox[abprs]-(?!rekey-placeholder)|BSA|AIza|glpat-)[\w.~-]+/gu, '[token]')
    .replaceAll(/(?<![\w-])(?!rekey-placeholder)(?=[\w-]*\d)[\w-]{16,}/gu, '[token]');
}
