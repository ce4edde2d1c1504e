/** Names that operator and sidecar agree on. */
export const group = 'rekey.dev';
export const apiVersion = 'rekey.dev/v1alpha1';
export const apiPath = '/apis/rekey.dev/v1alpha1';

/** On a namespace, `enabled`: pods created in it are injected when a credential selects them. */
export const injectionLabel = 'rekey.dev/injection';
/** On a pod, `"true"`: the pod must be injected; `"false"`: it must not. */
export const injectLabel = 'rekey.dev/inject';
/** On a pod, written by the webhook: `"true"` when it has the sidecar, `none` when no credential selects it. */
export const injectedLabel = 'rekey.dev/injected';
/** On a pod, written by the webhook: the credentials and stores as they were (`Snapshot` as JSON), so that the sidecar starts without the API server. */
export const snapshotAnnotation = 'rekey.dev/snapshot';

/**
 * On an MCPCredential, any value: asks for what is new at once. On a pod, written by webhook and operator: what its credentials from
 * Kubernetes Secrets asked for last; the kubelet looks at a pod's volumes when an annotation changes.
 */
export const refreshAnnotation = 'rekey.dev/refresh';

export const sidecarName = 'rekey';
export const sidecarUid = 65_532;

/** Where the webhook mounts things and the sidecar finds them. */
export const mounts = {
  /** Memory volume of the sidecar alone: `ca.key`, `ca.crt` of the pod's CA. */
  ca: { volume: 'rekey-ca', path: '/run/rekey/ca' },
  /** Shared with the app, read-only there: `bundle.pem`, public roots and the pod's CA. */
  trust: { volume: 'rekey-trust', path: '/run/rekey/trust', file: '/run/rekey/trust/bundle.pem' },
  /** Projected into the sidecar alone: `api/token`, `api/ca.crt`, `source/<store>/token`, `pod/snapshot`. */
  identity: { volume: 'rekey-identity', path: '/run/rekey/identity' },
  /** Projected into the sidecar alone, where credentials read from Kubernetes Secrets: `<secret>/<key>`. */
  secrets: { volume: 'rekey-secrets', path: '/run/rekey/secrets' },
} as const;

/** Port of the sidecar's `/healthz` and `/metrics`. It serves nothing secret. Clear of Istio (15000-15090) and Linkerd (4140-4191). */
export const sidecarHealthPort = 15_532;

/** Variables that make the known clients trust the pod's bundle. */
export const trustVariables = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'AWS_CA_BUNDLE',
  'DENO_CERT',
] as const;

/** Variables that lead a client's calls to a proxy, and Node's to heed them (https://nodejs.org/api/cli.html#node_use_env_proxy1); curl and others read the lower case ones. */
export const proxyVariables = [
  'HTTPS_PROXY',
  'https_proxy',
  'HTTP_PROXY',
  'http_proxy',
  'NO_PROXY',
  'no_proxy',
  'NODE_USE_ENV_PROXY',
] as const;

/** Base URL of an OTLP/HTTP collector: no user, query or fragment. */
export const collectorUrl = /^https?:\/\/[A-Za-z0-9.:[\]_-]+(\/[A-Za-z0-9._~/-]*)?$/u;
