/*
 * What the controller asks of the API server, and nothing more (never a verb on core secrets):
 *
 *   cluster-wide
 *     rekey.dev                    mcpcredentials                  list, watch
 *     rekey.dev                    mcpcredentials/status           patch
 *     rekey.dev                    mcpcredentialstores             list, watch; create, patch of the name `default` alone
 *     rekey.dev                    mcpcredentialstores/status      patch
 *     rekey.dev                    mcpcredentialbindings           list, watch, create, patch
 *     core                         pods                            list, watch (watch: label rekey.dev/injected=true; list: a credential's selector)
 *     core                         pods                            patch, of one annotation of injected pods alone (policy rekey-operator-pods)
 *     core                         namespaces                      list, watch
 *     core                         events                          create, patch
 *     rbac.authorization.k8s.io    rolebindings                    list, watch, create, patch of the name rekey-sidecar alone
 *     rbac.authorization.k8s.io    clusterroles                    bind of the sidecars' ClusterRole alone (KEP: privilege escalation prevention)
 *   where it is for some namespaces only, what is in these by a Role in each, and events of stores in `default`
 *   in its own namespace
 *     core                         serviceaccounts/token           create, of its own service account alone
 *     core                         pods                            get (lease/)
 *     coordination.k8s.io          leases                          create; get, patch of the name rekey-operator alone (lease/)
 *
 * Server-side apply is the verb patch, and create where the object is not there yet.
 */
import type { Credential } from '@rekey/crds/credential.ts';
import type { Store, StoreSpec } from '@rekey/crds/store.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { Registry } from 'prom-client';
import type { Kubernetes } from '../kubernetes.ts';
import { emptyState } from './state.ts';
import { Watches } from './watches.ts';
import { startWork } from './work.ts';

/** The part of the operator's configuration that the controller reads. */
export interface ControllerConfig {
  /** The operator's own namespace, pod and service account. */
  readonly namespace: string;
  /** Those that it watches; all unless given. */
  readonly namespaces?: readonly string[];
  readonly pod: string;
  readonly serviceAccount: string;
  /** The ClusterRole of the sidecars. */
  readonly sidecarClusterRole: string;
  /** The spec of MCPCredentialStore `default`, or undefined when somebody else makes the stores. */
  readonly defaultStore?: StoreSpec | undefined;
}

export interface ControllerContext {
  kubernetes: Kubernetes;
  config: ControllerConfig;
  log: Log;
  signal: AbortSignal;
  registry: Registry;
  /** Of this replica among the others; without it there are no others. */
  leadership?: Leadership;
  now?: () => number;
  random?: () => number;
  /** Of the watches. */
  idleMilliseconds?: number;
}

/** Until `leading` resolves, and once `ended` aborts, a replica only watches, which is what the webhook needs. */
export interface Leadership {
  leading: Promise<unknown>;
  ended: AbortSignal;
}

export interface Controller {
  state: {
    credentials: (namespace: string) => Credential[];
    stores: () => Store[];
    namespaceLabels: (name: string) => Record<string, string> | undefined;
    /** Whether everything has been listed once: before that an empty answer means nothing. */
    synced: () => boolean;
  };
  stop: () => void;
}

/** Watches at once; writes once this replica leads and everything has been listed. */
export function startController(context: ControllerContext): Controller {
  const ended = new AbortController();
  const signal = AbortSignal.any([context.signal, ended.signal]);
  const state = emptyState();
  const { kubernetes, config, log, idleMilliseconds } = context;
  const idle = idleMilliseconds === undefined ? {} : { idleMilliseconds };
  const watches = new Watches({ get: kubernetes.get, log, signal, state, namespaces: config.namespaces ?? [], ...idle });
  const begin = async ({ leading, ended: over }: Partial<Leadership> = {}): Promise<void> => {
    const working = over === undefined ? signal : AbortSignal.any([signal, over]);
    await Promise.all([watches.ready, leading]);
    if (!working.aborted) watches.onChange = startWork(context, state, working);
  };
  void begin(context.leadership);
  return {
    state: {
      credentials: (namespace) => state.credentials.in(namespace),
      stores: () => state.stores.all(),
      namespaceLabels: (name) => {
        const namespace = state.namespaces.get(name);
        return namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
      },
      synced: () => watches.synced(),
    },
    stop: () => ended.abort(),
  };
}
