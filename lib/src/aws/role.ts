import type { Route } from '../exchange.ts';
import { exchange } from '../exchange.ts';
import { Failure } from '../reason.ts';
import { faultOf, statusFailure } from './failure.ts';

/** Temporary credentials of a role. The last two are secrets: they go into the client that signs with them, and nowhere else. */
export interface RoleCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
}

export interface Assuming {
  endpoint: string;
  roleARN: string;
  /** Told by CloudTrail with each use: `namespace.pod`. */
  sessionName: string;
  /** A token of the cluster for the audience that the role trusts. */
  token: string;
  audience: string;
  /** For messages, whose token it is: `service account rekey-system/rekey-operator`. */
  bearer: string;
  signal?: AbortSignal | undefined;
}

/** The public endpoint of STS in a region; China has a domain of its own. */
export function stsEndpoint(region: string): string {
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/**
 * Assumes the role by a token of the cluster (https://docs.aws.amazonaws.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html).
 * The one call of STS that is not signed: it needs no client of AWS', which would cost a sidecar 4 MB. Rejects with a Failure.
 *
 * | answer                                           | outcome               |
 * |--------------------------------------------------|-----------------------|
 * | 200 with credentials                             | the credentials       |
 * | none                                             | SourceUnreachable     |
 * | Throttling, RequestLimitExceeded, 429            | SourceThrottled       |
 * | IDPCommunicationError, 3xx, 412, 5xx             | SourceUnreachable     |
 * | any other error of STS                           | SourceDenied          |
 * | anything else                                    | SourceResponseInvalid |
 */
export async function assumeRole(route: Route, asking: Assuming): Promise<RoleCredentials> {
  const { endpoint, roleARN, sessionName, token, signal } = asking;
  const what = `assuming ${roleARN} at ${endpoint}`;
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleARN,
    RoleSessionName: sessionName.replaceAll(/[^\w+=,.@-]/gu, '-').slice(0, 64),
    WebIdentityToken: token,
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/xml' };
  const { status, bytes } = await exchange(route, { method: 'POST', url: new URL('/', endpoint), headers, body, signal }).catch((error) => {
    throw faultOf(error, what);
  });
  const text = bytes.toString('utf8');
  if (status !== 200) throw refusalOf(status, element(text, 'Code'), what, asking);
  const [accessKeyId, secretAccessKey, sessionToken, expiration] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration'].map(
    (name) => element(text, name),
  );
  const ends = new Date(expiration ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(ends.getTime())) {
    throw new Failure('SourceResponseInvalid', `the answer holds no credentials, ${what}`);
  }
  return { accessKeyId, secretAccessKey, sessionToken, expiration: ends };
}

function refusalOf(status: number, code: string | undefined, what: string, { bearer, audience }: Assuming): Failure {
  const byStatus = statusFailure(status, what);
  if (byStatus !== undefined) return byStatus;
  if (code === undefined) return new Failure('SourceResponseInvalid', `the answer is not one of STS (HTTP ${status}), ${what}`);
  if (code === 'Throttling' || code === 'RequestLimitExceeded')
    return new Failure('SourceThrottled', `STS asks for fewer requests, ${what}`);
  if (code === 'IDPCommunicationError')
    return new Failure('SourceUnreachable', `STS cannot reach the issuer of the cluster's tokens, ${what}`);
  const known = /^\w{1,64}$/u.test(code) ? code : 'an unknown code';
  return new Failure(
    'SourceDenied',
    `STS refuses (${known}), ${what}: check that the account has an OIDC provider for the issuer of the cluster with audience ${audience}, ` +
      `and that the role exists and its trust policy names that provider, ${bearer} and audience ${audience}`,
  );
}

/** The text of the first element of that name; STS answers in flat XML without attributes in these. */
function element(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)</${name}>`, 'u').exec(xml)?.[1];
}
