/*
 * The operator takes its configuration from environment variables, read once at its start.
 *
 *   REKEY_NAMESPACE                 required; the operator's own namespace (fieldRef metadata.namespace)
 *   REKEY_NAMESPACES                the namespaces that it watches, with commas between them; empty means all
 *   REKEY_POD                       its own pod, for events and the Lease (fieldRef metadata.name)            default rekey-operator
 *   REKEY_SERVICE_ACCOUNT           its own service account (fieldRef spec.serviceAccountName)                default rekey-operator
 *   REKEY_SIDECAR_CLUSTER_ROLE      ClusterRole that it gives the service accounts of injected pods           default rekey-sidecar
 *   REKEY_DEFAULT_STORE             spec of the MCPCredentialStore `default` as JSON, which the operator then keeps; empty means none
 *   REKEY_SIDECAR_IMAGE             required; image of the sidecar
 *   REKEY_SIDECAR_IMAGE_PULL_POLICY Always, IfNotPresent or Never                                             default IfNotPresent
 *   REKEY_SIDECAR_CPU_REQUEST       quantity                                                                  default 10m
 *   REKEY_SIDECAR_MEMORY_REQUEST    quantity                                                                  default 32Mi
 *   REKEY_SIDECAR_CPU_LIMIT         quantity; empty means none (a Guaranteed pod's sidecar then gets 100m)    default empty
 *   REKEY_SIDECAR_MEMORY_LIMIT      quantity                                                                  default 64Mi
 *   REKEY_SIDECAR_LOG_LEVEL         debug, info, warn or error                                                default info
 *   REKEY_SIDECAR_AUDIT_OTLP        base URL of the OTLP/HTTP collector that gets the audit besides stdout (chart value audit.otlp)
 *   REKEY_SIDECAR_SYSCTLS           whether pods may set net.ipv4.ip_unprivileged_port_start: true or false   default true
 *   REKEY_EXTRA_CA                  PEM certificates that apps and sidecars trust beside the public roots (chart value trust.extraCA)
 *   REKEY_SERVICE                   Service of the webhook, a name in its certificate                         default rekey-operator
 *   REKEY_CLUSTER_DOMAIN            DNS domain of the cluster, a name in its certificate                      default cluster.local
 *   REKEY_WEBHOOK_CONFIGURATION     MutatingWebhookConfiguration whose caBundle the operator writes           default rekey-operator
 *   REKEY_WEBHOOK_PORT              HTTPS, POST /mutate                                                       default 8443
 *   REKEY_HEALTH_PORT               HTTP, GET /healthz, /readyz and /metrics                                  default 8080
 *   REKEY_LOG_LEVEL                 debug, info, warn or error                                                default info
 *
 * KUBECONFIG names a kubeconfig for running outside a cluster; inside, the pod's own service account is used.
 */
import { collectorUrl } from '@rekey/crds/names.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import type { Level } from '@rekey/lib/log.ts';
import type { Environment } from './environment.ts';
import { EnvironmentReader } from './environment.ts';

/** Its name in the chart's Deployment: what a kubelet says of it is what it says of the operator's process. */
export const operatorContainer = 'operator';

export interface Config {
  readonly namespace: string;
  /** Those that are watched; none means all. */
  readonly namespaces: readonly string[];
  readonly pod: string;
  readonly serviceAccount: string;
  readonly sidecarClusterRole: string;
  readonly defaultStore: StoreSpec | undefined;
  readonly sidecar: SidecarSettings;
  readonly service: string;
  readonly clusterDomain: string;
  readonly webhookConfiguration: string;
  readonly webhookPort: number;
  readonly healthPort: number;
  readonly logLevel: Level;
}

/** What every injected sidecar has in common. */
export interface SidecarSettings {
  readonly image: string;
  readonly imagePullPolicy: PullPolicy;
  readonly resources: { readonly requests: Quantities; readonly limits: Quantities };
  /** PEM, or empty. */
  readonly extraCA: string;
  readonly logLevel: Level;
  /** Base URL of the collector that sidecars send their audit to, or empty. */
  readonly auditOTLP: string;
  /** Whether the cluster lets pods set the sysctl that opens ports below 1024. */
  readonly sysctls: boolean;
}

type Quantities = Readonly<Record<string, string>>;

const pullPolicies = ['Always', 'IfNotPresent', 'Never'] as const;
type PullPolicy = (typeof pullPolicies)[number];
const levels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly Level[];

/** All that is wrong with the environment, one line each. */
export class ConfigError extends Error {
  readonly code = 'ConfigInvalid';
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

/** Throws a ConfigError that lists every problem at once. */
export function parseConfig(environment: Environment): Config {
  const read = new EnvironmentReader(environment);
  const config: Config = {
    namespace: read.matching('REKEY_NAMESPACE', dnsLabel),
    namespaces: read.names('REKEY_NAMESPACES', dnsLabel),
    pod: read.matching('REKEY_POD', dnsName, 'rekey-operator'),
    serviceAccount: read.matching('REKEY_SERVICE_ACCOUNT', dnsName, 'rekey-operator'),
    sidecarClusterRole: read.matching('REKEY_SIDECAR_CLUSTER_ROLE', dnsName, 'rekey-sidecar'),
    defaultStore: read.store('REKEY_DEFAULT_STORE'),
    sidecar: sidecar(read),
    service: read.matching('REKEY_SERVICE', dnsLabel, 'rekey-operator'),
    clusterDomain: read.matching('REKEY_CLUSTER_DOMAIN', dnsName, 'cluster.local'),
    webhookConfiguration: read.matching('REKEY_WEBHOOK_CONFIGURATION', dnsName, 'rekey-operator'),
    webhookPort: read.port('REKEY_WEBHOOK_PORT', 8443),
    healthPort: read.port('REKEY_HEALTH_PORT', 8080),
    logLevel: read.oneOf('REKEY_LOG_LEVEL', levels, 'info'),
  };
  if (read.problems.length > 0) throw new ConfigError(read.problems);
  return frozen(config);
}

function sidecar(read: EnvironmentReader): SidecarSettings {
  return {
    image: read.matching('REKEY_SIDECAR_IMAGE', /^[^\s]+$/u),
    imagePullPolicy: read.oneOf('REKEY_SIDECAR_IMAGE_PULL_POLICY', pullPolicies, 'IfNotPresent'),
    resources: sidecarResources(read),
    extraCA: read.matching('REKEY_EXTRA_CA', /^\s*$|-----BEGIN CERTIFICATE-----/u, '').trim(),
    logLevel: read.oneOf('REKEY_SIDECAR_LOG_LEVEL', levels, 'info'),
    auditOTLP: read.matching('REKEY_SIDECAR_AUDIT_OTLP', collectorOrNone, ''),
    sysctls: read.oneOf('REKEY_SIDECAR_SYSCTLS', ['true', 'false'], 'true') === 'true',
  };
}

function sidecarResources(read: EnvironmentReader): SidecarSettings['resources'] {
  const requests: Quantities = {
    cpu: read.matching('REKEY_SIDECAR_CPU_REQUEST', quantity, '10m'),
    memory: read.matching('REKEY_SIDECAR_MEMORY_REQUEST', quantity, '32Mi'),
  };
  const cpuLimit = read.matching('REKEY_SIDECAR_CPU_LIMIT', quantityOrNone, '');
  const memoryLimit = read.matching('REKEY_SIDECAR_MEMORY_LIMIT', quantity, '64Mi');
  const limits: Quantities = { ...(cpuLimit === '' ? {} : { cpu: cpuLimit }), memory: memoryLimit };
  for (const [name, limit] of Object.entries(limits)) {
    const request = requests[name] ?? '';
    if (amount(request) > amount(limit)) {
      const variable = `REKEY_SIDECAR_${name.toUpperCase()}_REQUEST is ${JSON.stringify(request)}`;
      read.problems.push(`${variable}, more than the limit ${JSON.stringify(limit)}: no pod with such a sidecar could start`);
    }
  }
  return { requests, limits };
}

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u;
const dnsName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/u;
const quantity = /^[0-9]+([.][0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/u;
const collectorOrNone = new RegExp(`^$|${collectorUrl.source}`, 'u');
const quantityOrNone = new RegExp(`^$|${quantity.source}`, 'u');
const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** NaN, which is never more, for what is no quantity. */
function amount(text: string): number {
  const unit = /[A-Za-z]*$/u.exec(text)?.[0] ?? '';
  return Number(text.slice(0, text.length - unit.length)) * (factors[unit] ?? Number.NaN);
}

function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part as object);
  return Object.freeze(value);
}
