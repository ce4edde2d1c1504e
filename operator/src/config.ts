/*
 * The operator takes its configuration from environment variables, read once at its start.
 *
 *   REKEY_NAMESPACE                 required; the operator's own namespace (fieldRef metadata.namespace)
 *   REKEY_POD                       its own pod, for events (fieldRef metadata.name)                          default rekey-operator
 *   REKEY_SIDECAR_IMAGE             required; image of the sidecar
 *   REKEY_SIDECAR_IMAGE_PULL_POLICY Always, IfNotPresent or Never                                             default IfNotPresent
 *   REKEY_SIDECAR_CPU_REQUEST       quantity                                                                  default 10m
 *   REKEY_SIDECAR_MEMORY_REQUEST    quantity                                                                  default 32Mi
 *   REKEY_SIDECAR_CPU_LIMIT         quantity; empty means none (a Guaranteed pod's sidecar then gets 100m)    default empty
 *   REKEY_SIDECAR_MEMORY_LIMIT      quantity                                                                  default 64Mi
 *   REKEY_SIDECAR_LOG_LEVEL         debug, info, warn or error                                                default info
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
import type { Level } from '@rekey/lib/log.ts';

export interface Config {
  readonly namespace: string;
  readonly pod: string;
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

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws a ConfigError that lists every problem at once. */
export function parseConfig(environment: Environment): Config {
  const read = new Reader(environment);
  const config: Config = {
    namespace: read.matching('REKEY_NAMESPACE', dnsLabel),
    pod: read.matching('REKEY_POD', dnsName, 'rekey-operator'),
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

function sidecar(read: Reader): SidecarSettings {
  const cpuLimit = read.matching('REKEY_SIDECAR_CPU_LIMIT', quantityOrNone, '');
  return {
    image: read.matching('REKEY_SIDECAR_IMAGE', /^[^\s]+$/u),
    imagePullPolicy: read.oneOf('REKEY_SIDECAR_IMAGE_PULL_POLICY', pullPolicies, 'IfNotPresent'),
    resources: {
      requests: {
        cpu: read.matching('REKEY_SIDECAR_CPU_REQUEST', quantity, '10m'),
        memory: read.matching('REKEY_SIDECAR_MEMORY_REQUEST', quantity, '32Mi'),
      },
      limits: {
        ...(cpuLimit === '' ? {} : { cpu: cpuLimit }),
        memory: read.matching('REKEY_SIDECAR_MEMORY_LIMIT', quantity, '64Mi'),
      },
    },
    extraCA: read.matching('REKEY_EXTRA_CA', /^\s*$|-----BEGIN CERTIFICATE-----/u, '').trim(),
    logLevel: read.oneOf('REKEY_SIDECAR_LOG_LEVEL', levels, 'info'),
  };
}

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u;
const dnsName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/u;
const quantity = /^[0-9]+([.][0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/u;
const quantityOrNone = new RegExp(`^$|${quantity.source}`, 'u');

class Reader {
  readonly problems: string[] = [];
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Without a default the variable is required. An empty variable counts as unset. */
  matching(name: string, pattern: RegExp, otherwise?: string): string {
    const text = this.#environment[name] || otherwise;
    if (text === undefined) this.problems.push(`${name} is not set`);
    else if (!pattern.test(text)) this.problems.push(`${name} is ${JSON.stringify(text)}, which does not match ${pattern.source}`);
    return text ?? '';
  }

  oneOf<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const text = this.#environment[name] || otherwise;
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) this.problems.push(`${name} is ${JSON.stringify(text)}: choose one of ${choices.join(', ')}`);
    return choice ?? otherwise;
  }

  port(name: string, otherwise: number): number {
    const text = this.#environment[name] || String(otherwise);
    const port = Number(text);
    if (/^[0-9]{1,5}$/u.test(text) && port <= 65_535) return port;
    this.problems.push(`${name} is ${JSON.stringify(text)}: a port is a number from 0 to 65535`);
    return otherwise;
  }
}

function frozen<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) frozen(part as object);
  return Object.freeze(value);
}
