import type { Credential } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { SidecarSettings } from '../config.ts';
import type { Outcome } from './inject.ts';
import { inject } from './inject.ts';
import { patchOf } from './patch.ts';
import type { Decision, Pod } from './pod.ts';

/** What the webhook knows of the cluster, kept in memory by the controller's watches: an admission calls nobody. */
export interface State {
  /** Whether all lists have been read once. */
  synced: () => boolean;
  credentials: (namespace: string) => readonly Credential[];
  stores: () => readonly Store[];
  /** Undefined for a namespace that the watch has not told of. */
  namespaceLabels: (name: string) => Readonly<Record<string, string>> | undefined;
}

/** admission.k8s.io/v1, as far as it is used. */
interface Request {
  uid: string;
  operation: string;
  namespace: string;
  subResource?: string;
  resource: { group?: string; resource: string };
  object: Pod;
}

interface Response {
  uid: string;
  allowed: boolean;
  status?: { code: number; reason: string; message: string };
  warnings?: string[];
  patchType?: 'JSONPatch';
  patch?: string;
}

/** `result` and `reason` are the labels of `rekey_admissions_total`. `body` is the AdmissionReview of a 200. */
export interface Answer {
  status: 200 | 400 | 503;
  result: Outcome['kind'] | 'invalid' | 'unavailable' | 'failed';
  reason: string;
  body?: object;
}

/**
 * Answers an AdmissionReview. It never throws and has no side effects, so a dry run is like any other.
 *
 * | review                                | caches synced | namespace known | answer                              |
 * |---------------------------------------|---------------|-----------------|-------------------------------------|
 * | not v1, or without a uid              | any           | any             | 400                                 |
 * | not the creation of a pod             | any           | any             | allowed, untouched                  |
 * | creation of a pod                     | no            | any             | 503: the policy refuses in our stead |
 * | creation of a pod                     | yes           | no              | 503                                 |
 * | creation of a pod                     | yes           | yes             | as `inject` says                    |
 * | creation of a pod, and `inject` fails | yes           | yes             | refused: fail closed                |
 */
export function review(body: unknown, state: State, settings: SidecarSettings): Answer {
  const request = requestIn(body);
  if (request === undefined) return { status: 400, result: 'invalid', reason: '' };
  if (!createsPod(request)) return allowed(request.uid, { kind: 'untouched' });
  const namespaceLabels = state.synced() ? state.namespaceLabels(request.namespace) : undefined;
  if (namespaceLabels === undefined) return { status: 503, result: 'unavailable', reason: '' };
  try {
    const credentials = state.credentials(request.namespace);
    const outcome = inject(request.object, { credentials, stores: state.stores(), namespaceLabels, settings });
    return outcome.kind === 'refused' ? refused(request.uid, outcome.refusal) : allowed(request.uid, outcome, request.object);
  } catch (error) {
    return failed(request.uid, errorCode(error));
  }
}

function requestIn(body: unknown): Request | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { apiVersion, kind, request } = body as { apiVersion?: unknown; kind?: unknown; request?: Partial<Request> | null };
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview') return undefined;
  return typeof request?.uid === 'string' && request.uid !== '' ? (request as Request) : undefined;
}

function createsPod({ operation, resource, subResource = '' }: Request): boolean {
  return operation === 'CREATE' && resource?.resource === 'pods' && (resource.group ?? '') === '' && subResource === '';
}

function allowed(uid: string, outcome: Exclude<Outcome, { kind: 'refused' }>, before?: Pod): Answer {
  const changed = outcome.kind === 'untouched' || before === undefined ? undefined : { ...outcome, patch: patchOf(before, outcome.pod) };
  return answer(outcome.kind, '', {
    uid,
    allowed: true,
    ...(changed === undefined || changed.warnings.length === 0 ? {} : { warnings: changed.warnings.map(sentence) }),
    ...(changed === undefined || changed.patch.length === 0
      ? {}
      : { patchType: 'JSONPatch' as const, patch: Buffer.from(JSON.stringify(changed.patch)).toString('base64') }),
  });
}

function refused(uid: string, refusal: Decision): Answer {
  const status = { code: 403, reason: refusal.reason, message: sentence(refusal) };
  return answer('refused', refusal.reason, { uid, allowed: false, status });
}

/** Most likely an object that is no pod; whatever it is, an opted-in pod must not start without its sidecar. */
function failed(uid: string, code: string): Answer {
  const message = `PodInvalid: the pod could not be injected (${code}); check it with kubectl apply --dry-run=server and the label rekey.dev/inject=false`;
  return answer('failed', 'PodInvalid', { uid, allowed: false, status: { code: 500, reason: 'PodInvalid', message } });
}

function sentence({ reason, message }: Decision): string {
  return `${reason}: ${message}`;
}

function answer(result: Answer['result'], reason: string, response: Response): Answer {
  return { status: 200, result, reason, body: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response } };
}
