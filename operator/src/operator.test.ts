import { request as requestHttp } from 'node:http';
import { Agent, request } from 'node:https';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Registry } from 'prom-client';
import type { FakeApiServer } from './api-server.fake.ts';
import { startFakeApiServer } from './api-server.fake.ts';
import { parseConfig } from './config.ts';
import { kubernetes } from './kubernetes.ts';
import type { Operator } from './operator.ts';
import { startOperator } from './operator.ts';
import type { FakeWebhookConfiguration } from './webhook-configuration.fake.ts';
import { fakeWebhookConfiguration } from './webhook-configuration.fake.ts';

const environment = { REKEY_NAMESPACE: 'rekey-system', REKEY_SIDECAR_IMAGE: 'sidecar:1', REKEY_WEBHOOK_PORT: '0', REKEY_HEALTH_PORT: '0' };
let server: FakeApiServer;
let configuration: FakeWebhookConfiguration;
let operator: Operator;
let synced: boolean;
let stopped: number;
let stores: () => [];

beforeEach(async () => {
  [synced, stopped, stores] = [true, 0, () => []];
  configuration = fakeWebhookConfiguration();
  server = await startFakeApiServer((received) => configuration.handler(received));
  operator = await start();
});
afterEach(async () => {
  await operator.stop();
  await server.close();
});

test('is ready once the API server trusts it and the caches have synced', async () => {
  await until(async () => (await health('/readyz')).status === 200);
  expect(configuration.bundles()[0]).toContain('BEGIN CERTIFICATE');
  synced = false;
  expect((await health('/readyz')).status).toBe(503);
  expect((await health('/healthz')).status).toBe(200);
});

test('is not ready while its CA cannot be written', async () => {
  await operator.stop();
  configuration = fakeWebhookConfiguration();
  configuration.failure = 500;
  const before = server.received.length;
  operator = await start();
  await until(async () => Promise.resolve(server.received.length > before));
  expect((await health('/readyz')).status).toBe(503);
});

test('is not ready when a pod could not be admitted, and tells why it is not', async () => {
  await until(async () => (await health('/readyz')).status === 200);
  stores = () => {
    throw new Error('broken');
  };
  expect(await health('/readyz')).toEqual({ status: 503, text: 'not ready: its webhook does not answer a review of its own\n' });
  synced = false;
  expect((await health('/readyz')).text).toBe('not ready: the caches have not synced\n');
});

test('answers the webhook by its Service name, verified with the CA of the bundle', async () => {
  await until(async () => (await health('/readyz')).status === 200);
  const sent = admission(configuration.bundles()[0] ?? '');
  sent.end(review);
  expect(JSON.parse((await answerOf(sent)).text)).toMatchObject({ response: { uid: 'the-uid', allowed: true } });
  const metrics = (await health('/metrics')).text;
  expect(metrics).toContain('rekey_admissions_total{result="untouched",reason=""} 1');
  expect(metrics).toContain('rekey_leader 0');
});

test('finishes the admission under way when it stops, and takes no new one', async () => {
  await until(async () => (await health('/readyz')).status === 200);
  const ca = configuration.bundles()[0] ?? '';
  const agent = new Agent({ keepAlive: true });
  const sent = admission(ca, agent);
  const answered = answerOf(sent);
  sent.write(review.slice(0, 10));
  await new Promise<void>((resolve) => sent.once('socket', (socket) => void socket.once('secureConnect', resolve)));
  await until(async () => Promise.resolve(sent.socket?.bytesWritten !== undefined && sent.socket.bytesWritten > 0));
  const stopping = operator.stop();
  await until(async () => (await health('/readyz').catch(() => ({ status: 0 }))).status !== 200);
  sent.end(review.slice(10));
  expect((await answered).status).toBe(200);
  await stopping;
  agent.destroy();
  const late = admission(ca);
  late.end(review);
  await expect(answerOf(late)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(stopped).toBe(1);
});

async function start(): Promise<Operator> {
  return startOperator({
    config: parseConfig(environment),
    kubernetes: kubernetes(server.configuration),
    log: () => {},
    registry: new Registry(),
    drainMilliseconds: 0,
    startController: () => ({
      state: { synced: () => synced, credentials: () => [], stores: () => stores(), namespaceLabels: () => ({}) },
      stop: () => void (stopped += 1),
    }),
  });
}

const review = JSON.stringify({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'the-uid',
    operation: 'CREATE',
    namespace: 'tools',
    resource: { resource: 'pods' },
    object: { metadata: {}, spec: { containers: [] } },
  },
});

function admission(ca: string, agent?: Agent): ClientRequest {
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(review) };
  const options = {
    host: '127.0.0.1',
    port: operator.webhookPort,
    servername: 'rekey-operator.rekey-system.svc',
    path: '/mutate',
    method: 'POST',
  };
  return request({ ...options, ca, headers, ...(agent === undefined ? {} : { agent }) });
}

interface Answer {
  status: number;
  text: string;
}

function answerOf(sent: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sent.on('error', reject).on('response', (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
  });
}

async function health(path: string): Promise<Answer> {
  const sent = requestHttp({ host: '127.0.0.1', port: operator.healthPort, path });
  sent.end();
  return answerOf(sent);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
