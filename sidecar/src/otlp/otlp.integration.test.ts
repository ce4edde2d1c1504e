import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { builtProgram, startProcess, temporaryFolder, until } from '@rekey/lib/process.real.ts';
import type { RealProcess } from '@rekey/lib/process.real.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

// The OpenTelemetry Collector itself. collector.fake.ts is stricter, and is where everything that can go wrong is tried.

let port: number;
let folder: string;
let collector: RealProcess;
let pod: FakePod;
const endings = new AsyncDisposableStack();

async function start(): Promise<RealProcess> {
  const process = await startProcess({ name: builtProgram('otelcol'), arguments: ['--config=file:config.json'], folder });
  endings.defer(process.stop);
  await process.until(async () => (await fetch(`http://127.0.0.1:${port}/`)).status);
  return process;
}

beforeAll(async () => {
  port = await freePort();
  folder = temporaryFolder('otelcol');
  const configuration = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { file: { path: 'received.json', append: true, flush_interval: '100ms' } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { logs: { receivers: ['otlp'], exporters: ['file'] } },
    },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(configuration));
  collector = await start();
  pod = await startPod({ collector: { url: `http://127.0.0.1:${port}` } });
  endings.defer(() => pod.stop());
}, 30_000);

afterAll(() => endings.disposeAsync());

interface Received {
  resourceLogs: { resource: { attributes: Attribute[] }; scopeLogs: { scope: { name: string }; logRecords: LogRecord[] }[] }[];
}
interface LogRecord extends Record<string, unknown> {
  body: { stringValue: string };
  attributes: Attribute[];
}
interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: string };
}

const valuesOf = (attributes: readonly Attribute[]): object =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]));

/** A line of the file for each request. */
function batches(): Received[] {
  const file = join(folder, 'received.json');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Received);
}

test('the collector understands every record: what it writes says what the audit says', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await call(pod, { path: '/line?q=secret', headers: { ...bearer, traceparent } });
  pod.credential.failing = 'SourceSealed';
  await call(pod, { headers: bearer });
  await pod.flushed(2);
  const logs = await until(() => {
    const all = batches().flatMap(({ resourceLogs }) => resourceLogs);
    const count = all.flatMap(({ scopeLogs }) => scopeLogs).flatMap(({ logRecords }) => logRecords).length;
    return count >= 2 ? all : undefined;
  });
  const scopes = logs.flatMap(({ scopeLogs }) => scopeLogs);
  const [used, refused, ...more] = scopes.flatMap(({ logRecords }) => logRecords);
  expect(more).toEqual([]);
  expect([used, refused].map((record) => JSON.parse(record?.body.stringValue ?? '') as unknown)).toEqual(pod.audit);
  expect(used).toMatchObject({
    severityNumber: 9,
    severityText: 'INFO',
    eventName: 'rekey.use',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    flags: 1,
  });
  expect(Number(used?.['timeUnixNano']) / 1e6).toBeCloseTo(Date.parse(String(pod.audit[0]?.['time'])), -1);
  expect(valuesOf(used?.attributes ?? [])).toEqual({
    'rekey.credential': 'github',
    'rekey.version': '7',
    'http.response.status_code': '200',
  });
  expect(refused).toMatchObject({ severityNumber: 13, severityText: 'WARN' });
  expect(valuesOf(refused?.attributes ?? [])).toMatchObject({ 'rekey.reason': 'SourceSealed' });
  expect(scopes[0]?.scope.name).toBe('rekey.audit');
  expect(valuesOf(logs[0]?.resource.attributes ?? [])).toEqual({
    'service.name': 'rekey-sidecar',
    'k8s.namespace.name': 'tools',
    'k8s.pod.name': 'mcp-github-0',
    'k8s.serviceaccount.name': 'mcp',
  });
}, 30_000);

/** Resolves when the sidecar has tried in vain. */
async function refusedOnce(): Promise<void> {
  const nobody = createServer((socket) => socket.destroy());
  await once(nobody.listen(port, '127.0.0.1'), 'listening');
  await once(nobody, 'connection');
  await once(nobody.close(), 'close');
}

test('a collector that is started again gets what was said meanwhile, and nothing is lost', async () => {
  pod.credential.failing = undefined;
  await collector.end('SIGKILL');
  const before = batches().length;
  await call(pod, { path: '/meanwhile', headers: bearer });
  await refusedOnce();
  collector = await start();
  await until(() => (batches().length > before ? true : undefined));
  const [arrived] = batches().at(-1)?.resourceLogs[0]?.scopeLogs[0]?.logRecords ?? [];
  expect(JSON.parse(arrived?.body.stringValue ?? '')).toEqual(pod.audit[2]);
  const metrics = await scrape(pod);
  expect(metrics).toMatch(/^rekey_audit_lost_total 0$/mu);
}, 60_000);
