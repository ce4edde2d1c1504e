import { startFakeApiServer } from './api-server.fake.ts';
import type { FakeApiServer } from './api-server.fake.ts';
import { eventRecorder } from './events.ts';
import type { Recorder } from './events.ts';
import { kubernetes } from './kubernetes.ts';

const object = { apiVersion: 'rekey.dev/v1alpha1', kind: 'MCPCredential', metadata: { name: 'github', namespace: 'tools', uid: 'u' } };
const warning = { type: 'Warning', reason: 'SourceDenied', message: 'check the role' } as const;

let server: FakeApiServer;
let status: number;
let time: number;
/** Added to the time by whoever sets the clock. */
let set: number;
let logged: string[];
let record: Recorder;

beforeEach(async () => {
  status = 201;
  [time, set] = [Date.parse('2026-11-22T12:00:00.700Z'), 0];
  logged = [];
  server = await startFakeApiServer(() => ({ status, body: { reason: 'Forbidden', metadata: { name: 'github.1' } } }));
  const log = (_level: string, message: string, fields?: object): void => void logged.push(`${message} ${JSON.stringify(fields)}`);
  record = eventRecorder({
    kubernetes: kubernetes(server.configuration),
    log,
    pod: 'op-1',
    clock: { wall: () => time + set, monotonic: () => time },
  });
});
afterEach(() => server.close());

const reasons = (): string[] => server.received.map(({ body }) => (body as { reason: string }).reason);

test('an Event says what kubectl describe shows', async () => {
  await record(object, [warning]);
  expect(server.received).toMatchObject([{ method: 'POST', path: '/api/v1/namespaces/tools/events' }]);
  expect(server.received[0]?.body).toMatchObject({
    involvedObject: { apiVersion: 'rekey.dev/v1alpha1', kind: 'MCPCredential', name: 'github', namespace: 'tools', uid: 'u' },
    type: 'Warning',
    reason: 'SourceDenied',
    message: 'check the role',
    source: { component: 'rekey-operator' },
    reportingInstance: 'op-1',
    lastTimestamp: '2026-11-22T12:00:00Z',
    count: 1,
  });
});

test('an Event of a cluster-wide object goes where kubectl looks for it', async () => {
  await record({ ...object, metadata: { name: 'default', uid: 's' } }, [warning]);
  expect(server.received[0]?.path).toBe('/api/v1/namespaces/default/events');
  expect(server.received[0]?.body).not.toHaveProperty('involvedObject.namespace');
});

test('the same warning about the same object comes once in five minutes', async () => {
  await record(object, [warning, warning, { ...warning, reason: 'KeyNotFound' }]);
  time += 299_000;
  await record(object, [warning]);
  await record({ ...object, metadata: { ...object.metadata, uid: 'other' } }, [warning]);
  time += 2000;
  await record(object, [warning]);
  expect(reasons()).toEqual(['SourceDenied', 'KeyNotFound', 'SourceDenied', 'SourceDenied']);
});

test('a warning comes again after five minutes even when the clock was set back by an hour', async () => {
  await record(object, [warning]);
  set = -3_600_000;
  time += 301_000;
  await record(object, [warning]);
  expect(reasons()).toEqual(['SourceDenied', 'SourceDenied']);
});

test('what is normal is one Event in five minutes too, which counts and says what came last', async () => {
  const news = { type: 'Normal', reason: 'RotationStarted', message: 'version 7 -> 8' } as const;
  await record(object, [news]);
  time += 60_000;
  await record(object, [{ ...news, message: 'version 8 -> 9' }]);
  time += 241_000;
  await record(object, [news]);
  expect(server.received.map(({ method, path }) => `${method} ${path.replace(/\?.*/u, '')}`)).toEqual([
    'POST /api/v1/namespaces/tools/events',
    'PATCH /api/v1/namespaces/tools/events/github.1',
    'POST /api/v1/namespaces/tools/events',
  ]);
  expect(server.received[1]?.body).toEqual({ message: 'version 8 -> 9', count: 2, lastTimestamp: '2026-11-22T12:01:00Z' });
});

test('an Event that is gone is written anew the next time', async () => {
  const news = { type: 'Normal', reason: 'RotationStarted', message: '' } as const;
  await record(object, [news]);
  status = 404;
  await record(object, [news]);
  status = 201;
  await record(object, [news]);
  expect(server.received.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'POST']);
});

test('an Event that cannot be written is logged, and holds nothing', async () => {
  status = 403;
  await record(object, [warning]);
  expect(logged).toEqual(['event not written {"namespace":"tools","name":"github","reason":"SourceDenied","code":"Forbidden"}']);
});
