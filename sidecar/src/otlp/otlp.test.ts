import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';
import type { FakeCollector } from './collector.fake.ts';
import { startCollector } from './collector.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

let collector: FakeCollector;
let pod: FakePod | undefined;
afterEach(async () => {
  await pod?.stop();
  pod = undefined;
  await collector.stop();
});

async function start(name?: string, trusts = true): Promise<FakePod> {
  collector = await startCollector(name);
  const ca = trusts && collector.ca !== undefined ? { ca: collector.ca } : {};
  pod = await startPod({ collector: { url: `${collector.url}/`, ...ca } });
  return pod;
}

async function lost({ sidecar }: FakePod): Promise<number> {
  const text = await scrape({ sidecar });
  return Number(/^rekey_audit_lost_total (\d+)$/mu.exec(text)?.[1]);
}

test('each line of the audit is a log record too, with the ids of the trace and who it was', async () => {
  const running = await start();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await call(running, { path: '/line?q=secret', headers: { ...bearer, traceparent } });
  running.credential.failing = 'SourceSealed';
  const none = `00-${'0'.repeat(32)}-b7ad6b7169203331-01`;
  await call(running, { headers: { ...bearer, traceparent: none } });
  await running.flushed(2);
  await until(() => collector.lines.length + collector.problems.length >= 2);
  expect(collector.problems).toEqual([]);
  expect(collector.lines.map((line) => JSON.parse(line) as unknown)).toEqual(running.audit);
  const [used, refused] = collector.records;
  expect(used).toMatchObject({
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    flags: 1,
    severityText: 'INFO',
    attributes: { 'rekey.credential': 'github', 'rekey.version': '7', 'http.response.status_code': '200' },
  });
  expect(Number(used?.['timeUnixNano']) / 1e6).toBeCloseTo(Date.parse(String(running.audit[0]?.['time'])), -1);
  expect(refused).toMatchObject({ severityText: 'WARN', attributes: { 'rekey.reason': 'SourceSealed' } });
  expect(refused).not.toHaveProperty('traceId');
  expect(collector.resources[0]).toEqual({
    'service.name': 'rekey-sidecar',
    'k8s.namespace.name': 'tools',
    'k8s.pod.name': 'mcp-github-0',
    'k8s.serviceaccount.name': 'mcp',
  });
  expect(JSON.stringify([collector.records, collector.resources])).not.toContain(running.credential.value('7'));
});

test('when the sidecar stops, what waits is sent first', async () => {
  const running = await start();
  for (let calls = 0; calls < 5; calls += 1) await call(running, { headers: bearer });
  await running.stop();
  pod = undefined;
  expect(collector.lines).toHaveLength(5);
});

test('over TLS to a collector that verifies with the CAs that upstreams are verified with', async () => {
  const running = await start('collector.test');
  await call(running, { headers: bearer });
  await until(() => collector.requests === 1);
  await until(() => collector.lines.length + collector.problems.length > 0);
  expect(collector.lines.map((line) => JSON.parse(line) as unknown)).toEqual(running.audit);
});

test('nothing goes to a collector whose certificate does not verify', async () => {
  const running = await start('collector.test', false);
  await call(running, { headers: bearer });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect([collector.requests, running.audit.length]).toEqual([0, 1]);
});

test('what a collector refuses, or says that it rejected, is counted as lost, and the calls go on', async () => {
  const running = await start();
  collector.instead = (response) => void response.writeHead(400).end();
  await call(running, { headers: bearer });
  await until(async () => (await lost(running)) === 1);
  collector.instead = undefined;
  collector.says = '{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"no"}}';
  expect((await call(running, { headers: bearer })).status).toBe(200);
  await until(async () => (await lost(running)) === 2);
});
