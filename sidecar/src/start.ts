import type { LookupFunction } from 'node:net';
import { mounts, sidecarHealthPort } from '@rekey/crds/names.ts';
import { injectedWays } from '@rekey/crds/snapshot.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { AuditOptions } from './report/audit.ts';
import { Audit } from './report/audit.ts';
import { processClock } from './clock.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import type { LiveCredentials } from './credential/credentials.ts';
import { startCredentials } from './credential/credentials.ts';
import { openDoor } from './door/door.ts';
import { entrancesOf } from './door/entrances.ts';
import type { Entrances } from './door/entrances.ts';
import { exposition } from './report/exposition.ts';
import type { Health } from './report/health.ts';
import { openHealth } from './report/health.ts';
import type { Limits } from './limits.ts';
import { defaultLimits } from './limits.ts';
import { Metrics } from './report/metrics.ts';
import { createLookup } from './upstream/resolve.ts';
import { Table } from './inject/rule.ts';
import { Unpacking } from './scrub/unpacking.ts';
import { startTls } from './tls/tls.ts';
import { Turn } from './turn.ts';
import { trustedBy } from './tls/trust.ts';
import type { UpstreamOptions } from './upstream/upstream.ts';
import { Upstream } from './upstream/upstream.ts';

export interface SidecarOptions {
  config: Config;
  log: Log;
  caFolder?: string;
  trustFolder?: string;
  /** 0 = any free one. */
  healthPort?: number;
  lookup?: LookupFunction;
  credentials?: typeof startCredentials;
  auditWrite?: AuditOptions['write'];
  upstream?: Pick<UpstreamOptions, 'connectMilliseconds' | 'idleMilliseconds'>;
  limits?: Partial<Limits>;
  /** Of the door's time limits. */
  clock?: Clock;
  /** In place of those that the snapshot asks for: tests have no ports of their own. */
  entrances?: Partial<Entrances>;
  now?: () => number;
}

export interface Sidecar {
  healthPort: number;
  /** Looks at once whether the leaf is due. */
  renew(): Promise<void>;
  /** Finishes calls in flight for up to `milliseconds`, and writes the audit. */
  stop(milliseconds?: number): Promise<void>;
}

/** Starts everything, in this order: trust bundle, door, then `/healthz` says 200. Waits neither for a source nor for the API server. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const metrics = new Metrics();
  const health = await openHealth({ port: options.healthPort ?? sidecarHealthPort, metrics: exposition(metrics) });
  try {
    return await startBehind(health, metrics, options);
  } catch (error) {
    await health.stop();
    throw error;
  }
}

async function startBehind(health: Health, metrics: Metrics, options: SidecarOptions): Promise<Sidecar> {
  const { config, log, lookup = createLookup(), credentials: start = startCredentials } = options;
  const trusted = trustedBy(config.extraCA);
  const onLost = (lines: number): void => void (metrics.auditLost += lines);
  const { auditOTLP: endpoint } = config;
  // Imported when it is used: a pod without a collector does not pay for it.
  const collector =
    endpoint === undefined ? undefined : (await import('./otlp/start.ts')).startOtlp({ endpoint, who: config, onLost, lookup, trusted });
  const audit = new Audit({
    who: config,
    onLost,
    also: collector?.add,
    ...(options.auditWrite === undefined ? {} : { write: options.auditWrite }),
  });
  const { credentials: injected } = config.snapshot;
  const entrances = { ...entrancesOf(injected), ...options.entrances };
  const tls = await startTls({
    hosts: entrances.names,
    caFolder: options.caFolder ?? mounts.ca.path,
    trustFolder: options.trustFolder ?? mounts.trust.path,
    extraCA: config.extraCA,
    log,
    ...(options.now === undefined ? {} : { now: options.now }),
  });
  const credentials: LiveCredentials = start({
    config,
    log,
    lookup,
    trusted,
    onRead: (name, outcome, seconds) => metrics.sourceRead(name, outcome, seconds),
  });
  metrics.ages = () => agesOf(credentials);
  const turn = new Turn();
  const upstream = new Upstream({ lookup, trusted, metrics, turn, ...options.upstream });
  const ways = new Map(injected.map((credential) => [credential.name, injectedWays(credential)]));
  const table = new Table(
    () => credentials.list(),
    metrics,
    (name) => ways.get(name) ?? [],
  );
  const clock = options.clock ?? processClock;
  const limits = { ...defaultLimits, ...options.limits };
  const unpacking = new Unpacking({ clock, limits, reached: (limit) => metrics.limit(limit) });
  const door = await openDoor({
    means: { upstream, audit, metrics, limits, turn, unpacking },
    table,
    entrances,
    context: () => tls.context(),
    lookup,
    log,
    clock,
  });
  health.ready();
  setImmediate(() => upstream.prepare());
  return {
    healthPort: health.port,
    renew: () => tls.renew(),
    stop: async (milliseconds = 20_000) => {
      await door.stop(milliseconds);
      await turn.over(); // calls that were cut off have their lines then
      tls.stop();
      upstream.stop();
      await Promise.all([credentials.stop(), audit.stop(), collector?.stop(), health.stop()]);
    },
  };
}

function* agesOf(credentials: LiveCredentials): Generator<readonly [string, number]> {
  for (const credential of credentials.list()) {
    const age = credential.age();
    if (age !== undefined) yield [credential.name, age];
  }
}
