import type { ProbeResult } from '@rekey/crds/binding.ts';
import type { CredentialSpec, Refusal } from '@rekey/crds/credential.ts';
import { parseJson } from '@rekey/lib/body.ts';
import { textAt } from '../inject/refused.ts';
import type { ProbeAnswer } from './request.ts';

export type Judged = Pick<ProbeResult, 'outcome'> & { status: number; reason?: string; message?: string };

/**
 * What an answer to the probe says of the version. The first row that fits decides.
 *
 * | the answer                                       | outcome  |
 * |--------------------------------------------------|----------|
 * | has a sign by which the upstream refuses         | Refused  |
 * | has the expected status                          | Accepted |
 * | 429, 5xx: the upstream is busy or broken         | Failed   |
 * | has another status                               | Refused  |
 */
export function judgeProbe({ status, body }: ProbeAnswer, spec: CredentialSpec): Judged {
  const sign = spec.refused.find((one) => isSign(one, status, body));
  const expected = spec.rotation?.probe?.expectedStatus ?? 200;
  const what = `${requestOf(spec)} answers ${status}`;
  if (sign !== undefined) {
    const field = sign.jsonField === undefined ? '' : ` with ${sign.jsonField} ${sign.equals ?? ''}`;
    return { outcome: 'Refused', status, reason: 'CredentialRefused', message: `${what}${field}` };
  }
  if (status === expected) return { outcome: 'Accepted', status };
  const message = `${what} and not ${expected}`;
  if (status === 429 || status >= 500) return { outcome: 'Failed', status, reason: 'UpstreamUnreachable', message };
  return { outcome: 'Refused', status, reason: 'CredentialRefused', message };
}

/** GET api.github.com/user, without a query. */
function requestOf({ rotation, hosts }: CredentialSpec): string {
  const { method = 'GET', host = hosts[0] ?? '', path = '' } = rotation?.probe ?? {};
  return `${method} ${host}${path.replace(/\?.*$/u, '')}`;
}

function isSign({ status: of, jsonField, equals }: Refusal, status: number, body: string): boolean {
  if (of !== status) return false;
  return jsonField === undefined || textAt(parseJson(body), jsonField) === equals;
}

/** Whose credential it is, as the answer says it. */
export function accountIn({ body }: ProbeAnswer, field: string): string | undefined {
  return textAt(parseJson(body), field);
}
