import { createConfiguration, HttpMethod, KubeConfig, RequestContext } from '@kubernetes/client-node';
import type { Get, KubernetesObject } from '@rekey/lib/watch.ts';

/** Who owns the fields that the operator applies (server-side apply, KEP-555). */
export const fieldManager = 'rekey-operator';

/** An answer of the API server that is not a success. Its text stays out of it: it can repeat what was sent. */
export class KubernetesError extends Error {
  /** HTTP status, such as 409. */
  readonly status: number;
  /** The Status' reason, such as AlreadyExists or Conflict; what `errorCode` of lib/log.ts logs. */
  readonly code: string;

  constructor(status: number, code: string) {
    super(`HTTP ${status} ${code}`);
    this.name = 'KubernetesError';
    this.status = status;
    this.code = code;
  }
}

/**
 * The API server. Paths are as in its URLs, without a query: `/api/v1/namespaces/tools/pods/a`, with `/status` at the end for
 * the subresource. All but `get` reject with a KubernetesError on any other status than 2xx, and with the network's error
 * otherwise, at the latest after 30 s.
 */
export interface Kubernetes {
  /** The raw answer, for lists and watches. */
  get: Get;
  /** One object, or undefined when there is none. */
  read: <T extends KubernetesObject>(path: string) => Promise<T | undefined>;
  /** POST to a collection (or to a subresource such as `serviceaccounts/x/token`). */
  create: <T = KubernetesObject>(collection: string, object: object) => Promise<T>;
  /** Server-side apply of the fields that we own, taking them over from others; `object` names its apiVersion and kind. */
  apply: <T = KubernetesObject>(path: string, object: object) => Promise<T>;
  /** JSON merge patch (RFC 7396), or a strategic one for built-in kinds. */
  patch: <T = KubernetesObject>(path: string, change: object, type?: PatchType) => Promise<T>;
}

export type PatchType = 'application/merge-patch+json' | 'application/strategic-merge-patch+json';

interface Call {
  method: HttpMethod;
  path: string;
  signal: AbortSignal;
  body?: object;
  type?: string;
}

interface Answer {
  status: number;
  body: ReadableStream<Uint8Array>;
}

const timeoutMilliseconds = 30_000;

/** The API server of `KUBECONFIG`, `~/.kube/config` or the pod's own service account, in this order. */
export function kubernetes(configuration: KubeConfig = defaultConfiguration()): Kubernetes {
  keepOneDispatcher(configuration);
  const typed = async <T>(call: Omit<Call, 'signal'>): Promise<T> =>
    parsed<T>(await send(configuration, { ...call, signal: AbortSignal.timeout(timeoutMilliseconds) }));
  return {
    get: (path, signal) => send(configuration, { method: HttpMethod.GET, path, signal }),
    read: async <T>(path: string) =>
      typed<T>({ method: HttpMethod.GET, path }).catch((error: unknown) => {
        if (error instanceof KubernetesError && error.status === 404) return undefined;
        throw error;
      }),
    create: async (path, body) => typed({ method: HttpMethod.POST, path, body, type: 'application/json' }),
    apply: async (path, body) =>
      typed({
        method: HttpMethod.PATCH,
        path: `${path}?fieldManager=${fieldManager}&force=true`,
        body,
        type: 'application/apply-patch+yaml',
      }),
    patch: async (path, body, type = 'application/merge-patch+json') =>
      typed({ method: HttpMethod.PATCH, path: `${path}?fieldManager=${fieldManager}`, body, type }),
  };
}

function defaultConfiguration(): KubeConfig {
  const configuration = new KubeConfig();
  configuration.loadFromDefault();
  return configuration;
}

const { httpApi } = createConfiguration();

async function send(configuration: KubeConfig, { method, path, signal, body, type }: Call): Promise<Answer> {
  const context = new RequestContext(`${configuration.getCurrentCluster()?.server ?? ''}${path}`, method);
  context.setSignal(signal);
  context.setHeaderParam('Accept', 'application/json');
  context.setHeaderParam('User-Agent', fieldManager);
  if (type !== undefined) context.setHeaderParam('Content-Type', type);
  if (body !== undefined) context.setBody(JSON.stringify(body));
  await configuration.applySecurityAuthentication(context);
  const response = await httpApi.send(context).toPromise();
  return { status: response.httpStatusCode, body: response.body.stream() ?? new ReadableStream({ start: (empty) => empty.close() }) };
}

async function parsed<T>({ status, body }: Answer): Promise<T> {
  const text = await new Response(body).text();
  if (status >= 200 && status < 300) return JSON.parse(text) as T;
  throw new KubernetesError(status, statusReason(text));
}

/** The `reason` of the Status object that the API server answers errors with. */
function statusReason(text: string): string {
  try {
    const { reason } = JSON.parse(text) as { reason?: unknown };
    return typeof reason === 'string' && /^[A-Za-z]{1,64}$/u.test(reason) ? reason : 'Unknown';
  } catch {
    return 'Unknown';
  }
}

interface TlsOptions {
  ca?: unknown;
  cert?: unknown;
}

/**
 * The library makes a new dispatcher, and so a new TLS connection, for each call. Its private `createDispatcher` is wrapped
 * so that one is kept until the cluster's CA or our client certificate changes.
 */
function keepOneDispatcher(configuration: KubeConfig): void {
  const library = configuration as unknown as { createDispatcher: (cluster: unknown, options: TlsOptions) => Dispatcher | undefined };
  const create = library.createDispatcher.bind(configuration);
  let kept: { key: string; dispatcher: unknown } | undefined;
  library.createDispatcher = (cluster, options) => {
    const key = JSON.stringify([cluster, String(options.ca), String(options.cert)]);
    if (kept?.key !== key) kept = { key, dispatcher: create(cluster, options)?.compose(overHttp1) };
    return kept.dispatcher as Dispatcher | undefined;
  };
}

/** Of undici, as far as it is used. */
interface Dispatcher {
  compose: (interceptor: (dispatch: Dispatch) => Dispatch) => unknown;
}
type Dispatch = (options: { allowH2?: boolean }, handler: unknown) => boolean;

/**
 * Over HTTP/2 all calls share one connection, and giving up a call does not give up the connection. When a network drops its packets,
 * every list and every write that follows dies on it, until the kernel gives up after a quarter of an hour. Over HTTP/1.1 a call that is given
 * up takes its connection along, and the next one goes over another.
 */
function overHttp1(dispatch: Dispatch): Dispatch {
  return (options, handler) => dispatch({ ...options, allowH2: false }, handler);
}
