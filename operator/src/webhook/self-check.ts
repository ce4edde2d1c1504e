import { request } from 'node:https';
import { text } from 'node:stream/consumers';

export interface SelfCheck {
  /** Of the webhook's own listener. */
  port: number;
  /** By which the API server calls it. */
  name: string;
  /** Of the review: known to this process alone, so that nobody else's admission passes for it. */
  uid: string;
  /** The operator's own. */
  namespace: string;
}

/** An admission takes 5 s at most by default, and is answered in milliseconds: who needs longer than this cannot serve. */
const patienceMilliseconds = 2000;

/**
 * Whether the webhook can serve: a dry run of the creation of a pod, over a new TLS connection to its own listener, as an API server makes
 * it that trusts `ca`, the bundle that it was given. Never rejects.
 */
export async function passesSelfCheck({ port, name, uid, namespace }: SelfCheck, ca: string): Promise<boolean> {
  const body = JSON.stringify(ownReview(uid, namespace));
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const options = { host: '127.0.0.1', port, servername: name, path: '/mutate', method: 'POST', ca, headers, agent: false };
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = request({ ...options, signal: AbortSignal.timeout(patienceMilliseconds) }, (response) => {
        text(response).then(resolve, reject);
      });
      sent.once('error', reject).end(body);
    });
    const { response } = JSON.parse(answer) as { response?: { allowed?: boolean } };
    return response?.allowed === true;
  } catch {
    return false;
  }
}

function ownReview(uid: string, namespace: string): object {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'self-check' }, spec: { containers: [{ name: 'self-check' }] } };
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const review = { uid, operation: 'CREATE', dryRun: true, namespace, resource, object };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review };
}
