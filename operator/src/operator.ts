import { randomBytes, randomUUID } from 'node:crypto';
import type { Log } from '@rekey/lib/log.ts';
import { sleep } from '@rekey/lib/backoff.ts';
import type { Registry } from 'prom-client';
import { createCertificate } from './certificate.ts';
import type { Pace } from './certificate.ts';
import type { Config } from './config.ts';
import type { Leadership } from './controller/start.ts';
import type { Kubernetes } from './kubernetes.ts';
import { identityOf } from './lease/holder.ts';
import { electLeader } from './lease/lease.ts';
import { leaseMetrics } from './lease/metrics.ts';
import { healthApp, startHealthServer, startWebhookServer } from './server.ts';
import { webhookApp } from './webhook/app.ts';
import { admissionMetrics } from './webhook/metrics.ts';
import { passesSelfCheck } from './webhook/self-check.ts';
import type { State } from './webhook/review.ts';

/** What every part of the operator gets. */
export interface Context {
  config: Config;
  /** Writes while this replica leads, and not for a moment longer. */
  kubernetes: Kubernetes;
  leadership: Leadership;
  log: Log;
  registry: Registry;
  /** Aborts when the operator stops. */
  signal: AbortSignal;
}

export interface Controller {
  state: State;
  stop: () => Promise<void> | void;
}

export type StartController = (context: Context) => Controller | Promise<Controller>;

export interface Operator {
  webhookPort: number;
  healthPort: number;
  /** Resolves when another replica may lead while this one thought that it did. Then it must end. */
  lost: Promise<void>;
  /** Another replica leads at once. Unready at once; admissions under way, and those of clients that have not heard of it yet, are still answered. */
  stop: () => Promise<void>;
}

/** How long the cluster takes to stop sending admissions to a pod that is not ready any more. */
const drainMilliseconds = 3000;

interface Options extends Omit<Context, 'signal' | 'leadership'> {
  startController: StartController;
  drainMilliseconds?: number;
  /** Of the webhook's certificates. */
  pace?: Pace;
}

/** Starts the parts in the order of their needs: lease, state, certificate, servers. All replicas serve the webhook; the leader writes. */
export async function startOperator({ startController, pace = {}, ...context }: Options): Promise<Operator> {
  const { config, kubernetes, log, registry } = context;
  const stopping = new AbortController();
  const { signal } = stopping;
  let draining = false;
  const identity = identityOf(config.pod, randomBytes(4).toString('hex'));
  let able = (): boolean => false;
  const lease = electLeader({ kubernetes, namespace: config.namespace, identity, log, able: () => able() });
  leaseMetrics(registry, lease);
  const { state, stop } = await startController({ config, kubernetes: lease.kubernetes, leadership: lease, log, registry, signal });
  able = state.synced;
  const { namespace, service, clusterDomain, webhookConfiguration } = config;
  const names = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.${clusterDomain}`];
  const certificate = await createCertificate({ kubernetes, configuration: webhookConfiguration, names, log, pace });
  const metrics = admissionMetrics(registry);
  const uid = randomUUID();
  const app = webhookApp({ state, settings: config.sidecar, metrics, log, draining: () => draining, ownReview: uid });
  const webhook = await startWebhookServer(app, config.webhookPort, certificate.current());
  const check = { port: webhook.port, name: names[0] ?? '', uid, namespace };
  const unready = async (): Promise<string | undefined> => {
    if (draining) return 'it stops';
    if (!state.synced()) return 'the caches have not synced';
    if (!certificate.trusted()) return `its CA is not in the MutatingWebhookConfiguration ${webhookConfiguration}`;
    return (await passesSelfCheck(check, certificate.published())) ? undefined : 'its webhook does not answer a review of its own';
  };
  const health = await startHealthServer(healthApp(registry, unready), config.healthPort);
  const renewing = certificate.run(signal, webhook.setCertificate);
  return {
    webhookPort: webhook.port,
    healthPort: health.port,
    lost: lease.lost,
    stop: async () => {
      draining = true;
      await Promise.all([lease.release(), sleep(context.drainMilliseconds ?? drainMilliseconds, signal)]);
      await webhook.close();
      stopping.abort();
      await Promise.all([renewing, stop(), health.close()]);
    },
  };
}
