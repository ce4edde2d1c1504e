import type * as prom from 'prom-client';
import type { Counter, Gauge, Metric, Registry } from 'prom-client';
import type { Histogram } from './histogram.ts';
import type { CallCounters, Metrics } from './metrics.ts';

type Client = typeof prom;
interface Sample {
  labels: Record<string, string>;
  value: number;
  metricName?: string;
}
type Read = () => Iterable<Sample>;
type Times = () => Iterable<readonly [credential: string, histogram: Histogram]>;

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
  counter('rekey_refusals_total', 'Answers of upstreams that refused the credential.', ['credential'], () =>
    each(metrics, ({ refusals }) => refusals),
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
  gauge('rekey_cache_age_seconds', 'Seconds since the value in memory was read.', ['credential'], () => ages(metrics));
  gauge('process_resident_memory_bytes', 'Resident memory.', [], () => [{ labels: {}, value: process.memoryUsage.rss() }]);
  counter('process_cpu_seconds_total', 'CPU time, user and system.', [], () => [{ labels: {}, value: cpuSeconds() }]);
  const histogram = (name: string, help: string, read: Times): void => registry.registerMetric(histogramOf(name, help, read));
  histogram('rekey_call_seconds', 'Seconds until the answer began.', () => times(metrics, ({ whole }) => whole));
  histogram('rekey_call_upstream_seconds', 'Of these, seconds that the upstream took.', () => times(metrics, ({ upstream }) => upstream));
  histogram('rekey_call_added_seconds', 'Of these, seconds that the sidecar took.', () => times(metrics, ({ added }) => added));
  histogram('rekey_source_read_seconds', 'Seconds that reads of the source took.', () => readTimes(metrics));
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
  for (const [credential, { outcomes }] of metrics.reads) {
    for (const [outcome, value] of outcomes) yield { labels: { credential, outcome }, value };
  }
}

function* versions(metrics: Metrics): Generator<Sample> {
  for (const [credential, { version }] of metrics.calls) if (version !== undefined) yield { labels: { credential, version }, value: 1 };
}

function* ages(metrics: Metrics): Generator<Sample> {
  for (const [credential, value] of metrics.ages()) yield { labels: { credential }, value };
}

function* times(metrics: Metrics, read: (counters: CallCounters) => Histogram): Generator<readonly [string, Histogram]> {
  for (const [credential, counters] of metrics.calls) yield [credential, read(counters)];
}

function* readTimes(metrics: Metrics): Generator<readonly [string, Histogram]> {
  for (const [credential, { times }] of metrics.reads) yield [credential, times];
}

/** prom-client's Histogram takes observations only; ours are counted already, so they go to the registry as the samples they become. */
function histogramOf(name: string, help: string, read: Times): Metric {
  const get = (): Promise<object> => {
    const values = [...read()].flatMap(([credential, histogram]) => samples(name, credential, histogram));
    return Promise.resolve({ name, help, type: 'histogram', values, aggregator: 'sum' });
  };
  return { name, get } as unknown as Metric;
}

function samples(name: string, credential: string, { bounds, counts, seconds }: Histogram): Sample[] {
  let count = 0;
  const cumulative = [...counts].map((value, index) => {
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
