import { errorCode } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Kubernetes } from '../kubernetes.ts';

interface Identity {
  namespace: string;
  serviceAccount: string;
}

interface TokenRequest {
  metadata: { name: string };
  status: { token: string };
}

/** Ten minutes: the shortest that the API server grants (TokenRequest, authentication.k8s.io/v1). It is used at once and not kept. */
const expirationSeconds = 600;

/** A token of the operator's own service account for one audience; asking for it lets stores have any audience. */
export function ownToken(
  kubernetes: Pick<Kubernetes, 'create'>,
  { namespace, serviceAccount }: Identity,
): (audience: string) => Promise<string> {
  return async (audience) => {
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [audience], expirationSeconds } };
    try {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
      return (await kubernetes.create<TokenRequest>(path, request)).status.token;
    } catch (error) {
      const message =
        `the API server gives the operator no token for audience ${audience} (${errorCode(error)}): ` +
        `its role needs the verb create on serviceaccounts/token of ${namespace}/${serviceAccount}`;
      throw new Failure('SourceDenied', message);
    }
  };
}
