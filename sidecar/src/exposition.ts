import type * as prom from 'prom-client';
import type { Counter, Gauge, Metric, Registry } from 'prom-client';
import type { CallCounters, Metrics } from './metrics.ts';
import { bounds } from './metrics.ts';

type Client = typeof prom;
interface Sample {
  labels: Record<string, string>;
  value: number;
  metricName?: string;
}
type Read = () => Iterable<Sample>;

/** Writes the metrics in Prometheus' text format. prom-client is loaded by the first scrape: a pod that nobody scrapes does not pay its memory. */
export function exposition(metrics: Metrics): { contentType: string; text: () => Promise<string> } {
  let registry: Promise<Registry> | undefined;
  return {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    text: async () => {
      registry ??= import('prom-client').then((client) => register(client, metrics));
      return (await registry).metrics();
    },
  };
}

function register(client: Client, metrics: Metrics): Registry {
  const registry = new client.Registry();
  const counter = (name: string, help: string, labelNames: string[], read: Read): Counter =>
    new client.Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.inc(labels, value);
      },
    });
  const gauge = (name: string, help: string, labelNames: string[], read: Read): Gauge =>
    new client.Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, value } of read()) this.set(labels, value);
      },
    });
  counter('rekey_calls_total', 'Calls by credential and class of the status code.', ['credential', 'code'], () => codes(metrics));
  counter('rekey_call_errors_total', 'Answers of the sidecar itself, by reason.', ['reason'], () =>
    [...metrics.errors].map(([reason, value]) => ({ labels: { reason }, value })),
  );
  counter('rekey_replays_total', 'Calls that were replayed with a newer version.', ['credential'], () =>
    each(metrics, ({ replays }) => replays),
  );
  counter('rekey_scrubs_total', 'Values that were replaced in answers.', ['credential'], () => each(metrics, ({ scrubs }) => scrubs));
  counter('rekey_source_reads_total', 'Reads of the source, by outcome.', ['credential', 'outcome'], () => reads(metrics));
  counter('rekey_audit_lost_total', 'Audit lines that could not be written.', [], () => [{ labels: {}, value: metrics.auditLost }]);
  gauge('rekey_upstream_connections', 'Open connections to upstreams.', [], () => [{ labels: {}, value: metrics.connections }]);
  gauge('rekey_client_connections', 'Open connections of clients.', [], () => [{ labels: {}, value: metrics.clients }]);
  gauge('rekey_calls_active', 'Calls under way.', ['credential'], () => each(metrics, ({ active }) => active));
  counter('rekey_limits_total', 'Limits that clients have reached.', ['limit'], () =>
    [...metrics.limits].map(([limit, value]) => ({ labels: { limit }, value })),
  );
  gauge('rekey_credential_info', 'The version that the last call carried.', ['credential', 'version'], () => versions(metrics));
  gauge('process_resident_memory_bytes', 'Resident memory.', [], () => [{ labels: {}, value: process.memoryUsage.rss() }]);
  counter('process_cpu_seconds_total', 'CPU time, user and system.', [], () => [{ labels: {}, value: cpuSeconds() }]);
  registry.registerMetric(histogram(metrics));
  return registry;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function* each(metrics: Metrics, read: (counters: CallCounters) => number): Generator<Sample> {
  for (const [credential, counters] of metrics.calls) yield { labels: { credential }, value: read(counters) };
}

function* codes(metrics: Metrics): Generator<Sample> {
  for (const [credential, counters] of metrics.calls) {
    for (const [code, value] of counters.codes.entries()) {
      if (value > 0) yield { labels: { credential, code: code === 0 ? 'aborted' : `${code}xx` }, value };
    }
  }
}

function* reads(metrics: Metrics): Generator<Sample> {
  for (const [credential, outcomes] of metrics.reads) {
    for (const [outcome, value] of outcomes) yield { labels: { credential, outcome }, value };
  }
}

function* versions(metrics: Metrics): Generator<Sample> {
  for (const [credential, { version }] of metrics.calls) if (version !== undefined) yield { labels: { credential, version }, value: 1 };
}

/** prom-client's Histogram takes observations only; ours are counted already, so they go to the registry as the samples they become. */
function histogram(metrics: Metrics): Metric {
  const name = 'rekey_call_seconds';
  const get = (): Promise<object> => {
    const values = [...metrics.calls].flatMap(([credential, counters]) => samples(name, credential, counters));
    return Promise.resolve({ name, help: 'Seconds until the answer began.', type: 'histogram', values, aggregator: 'sum' });
  };
  return { name, get } as unknown as Metric;
}

function samples(name: string, credential: string, { buckets, seconds }: CallCounters): Sample[] {
  let count = 0;
  const cumulative = buckets.map((value, index) => {
    count += value;
    return {
      labels: { le: index < bounds.length ? String(bounds[index]) : '+Inf', credential },
      value: count,
      metricName: `${name}_bucket`,
    };
  });
  return [
    ...cumulative,
    { labels: { credential }, value: seconds, metricName: `${name}_sum` },
    { labels: { credential }, value: count, metricName: `${name}_count` },
  ];
}
