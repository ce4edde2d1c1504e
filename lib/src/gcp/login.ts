import { parseJson } from '../body.ts';
import type { Answered, Asking, Route } from '../exchange.ts';
import { exchange } from '../exchange.ts';
import { Failure } from '../reason.ts';
import { SecretValue } from '../secret-value.ts';
import { faultOf, statusFailure } from './failure.ts';

export interface Federation {
  /** `//iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/NAME`. */
  provider: string;
  stsEndpoint?: string | undefined;
  iamEndpoint?: string | undefined;
  /** To act as; the federated identity itself unless given. */
  serviceAccount?: string | undefined;
  /** For messages, whose token it is and for which audience: `service account rekey-system/rekey-operator`. */
  bearer: string;
  audience: string;
}

const scope = 'https://www.googleapis.com/auth/cloud-platform';

/**
 * An access token for a token of the cluster: workload identity federation as `external_account` credentials have it
 * (https://cloud.google.com/iam/docs/workload-identity-federation), with impersonation where a service account is given. By hand, since
 * Google's library goes its own ways to the network. Rejects with a Failure. `lease` is in milliseconds.
 *
 * | answer                                     | outcome               |
 * |--------------------------------------------|-----------------------|
 * | 200 with a token                           | the token             |
 * | none                                       | SourceUnreachable     |
 * | 429, 412, 3xx, 5xx                         | SourceThrottled, SourceUnreachable |
 * | 400, 401, 403, 404 with an error           | SourceDenied          |
 * | anything else                              | SourceResponseInvalid |
 */
export async function logIn(route: Route, federation: Federation, jwt: string): Promise<{ secret: SecretValue; lease: number }> {
  const federated = await exchangeToken(route, federation, jwt);
  return federation.serviceAccount === undefined ? federated : impersonate(route, federation, federation.serviceAccount, federated.secret);
}

/** RFC 8693 section 2.1. */
async function exchangeToken(route: Route, federation: Federation, jwt: string) {
  const { provider, stsEndpoint = 'https://sts.googleapis.com', bearer, audience } = federation;
  const what = `exchanging a token of the cluster at ${stsEndpoint}`;
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    audience: provider,
    scope,
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: jwt,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = await ask(route, { method: 'POST', url: new URL('/v1/token', stsEndpoint), headers, body }, what);
  const advice =
    `check that the provider ${provider} is there, has the issuer of the cluster, allows audience ${audience}, ` +
    `and that its attribute condition holds for ${bearer}`;
  const { access_token: token, expires_in: seconds } = granted(answer, what, advice) as { access_token?: unknown; expires_in?: unknown };
  if (typeof token !== 'string' || token === '' || typeof seconds !== 'number') throw withoutToken(what);
  return { secret: new SecretValue(token), lease: seconds * 1000 };
}

/** https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken */
async function impersonate(route: Route, federation: Federation, account: string, token: SecretValue) {
  const { iamEndpoint = 'https://iamcredentials.googleapis.com' } = federation;
  const what = `acting as ${account} at ${iamEndpoint}`;
  const url = new URL(`/v1/projects/-/serviceAccounts/${account}:generateAccessToken`, iamEndpoint);
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${token.reveal()}` };
  const answer = await ask(route, { method: 'POST', url, headers, body: JSON.stringify({ scope: [scope], lifetime: '3600s' }) }, what);
  const advice = `check that it is there, and grant the principal of ${federation.bearer} roles/iam.workloadIdentityUser on it`;
  const { accessToken, expireTime } = granted(answer, what, advice) as { accessToken?: unknown; expireTime?: unknown };
  const lease = Date.parse(String(expireTime)) - Date.now();
  if (typeof accessToken !== 'string' || accessToken === '' || Number.isNaN(lease)) throw withoutToken(what);
  return { secret: new SecretValue(accessToken), lease };
}

async function ask(route: Route, asking: Asking, what: string): Promise<Answered> {
  try {
    return await exchange(route, { ...asking, headers: { ...asking.headers, accept: 'application/json' } });
  } catch (error) {
    throw faultOf(error, what);
  }
}

function granted({ status, bytes }: Answered, what: string, advice: string): object {
  const failure = statusFailure(status, what);
  if (failure !== undefined) throw failure;
  const body = parseJson(bytes.toString('utf8'));
  if (typeof body !== 'object' || body === null) throw withoutToken(what);
  if (status === 200) return body;
  if (status > 404 || !('error' in body)) throw withoutToken(what);
  throw new Failure('SourceDenied', `Google refuses (HTTP ${status}), ${what}: ${advice}`);
}

function withoutToken(what: string): Failure {
  return new Failure('SourceResponseInvalid', `the answer holds no token, ${what}`);
}
