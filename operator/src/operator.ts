import type { Log } from '@rekey/lib/log.ts';
import { sleep } from '@rekey/lib/backoff.ts';
import type { Registry } from 'prom-client';
import { createCertificate } from './certificate.ts';
import type { Config } from './config.ts';
import type { Kubernetes } from './kubernetes.ts';
import { healthApp, startHealthServer, startWebhookServer } from './server.ts';
import { webhookApp } from './webhook/app.ts';
import { admissionMetrics } from './webhook/metrics.ts';
import type { State } from './webhook/review.ts';

/** What every part of the operator gets. */
export interface Context {
  config: Config;
  kubernetes: Kubernetes;
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
  /** Unready at once; admissions under way, and those of clients that have not heard of it yet, are still answered. */
  stop: () => Promise<void>;
}

/** How long the cluster takes to stop sending admissions to a pod that is not ready any more. */
const drainMilliseconds = 3000;

interface Options extends Omit<Context, 'signal'> {
  startController: StartController;
  drainMilliseconds?: number;
}

/** Starts the parts in the order of their needs: state, certificate, servers. */
export async function startOperator({ startController, ...context }: Options): Promise<Operator> {
  const { config, kubernetes, log, registry } = context;
  const stopping = new AbortController();
  const { signal } = stopping;
  let draining = false;
  const { state, stop } = await startController({ config, kubernetes, log, registry, signal });
  const { namespace, service, clusterDomain, webhookConfiguration } = config;
  const names = [`${service}.${namespace}.svc`, `${service}.${namespace}.svc.${clusterDomain}`];
  const certificate = await createCertificate({ kubernetes, configuration: webhookConfiguration, names, log });
  const metrics = admissionMetrics(registry);
  const app = webhookApp({ state, settings: config.sidecar, metrics, log, draining: () => draining });
  const webhook = await startWebhookServer(app, config.webhookPort, certificate.current());
  const ready = (): boolean => !draining && state.synced() && certificate.trusted();
  const health = await startHealthServer(healthApp(registry, ready), config.healthPort);
  const renewing = certificate.run(signal, webhook.setCertificate);
  return {
    webhookPort: webhook.port,
    healthPort: health.port,
    stop: async () => {
      draining = true;
      await sleep(context.drainMilliseconds ?? drainMilliseconds, signal);
      await webhook.close();
      stopping.abort();
      await Promise.all([renewing, stop(), health.close()]);
    },
  };
}
