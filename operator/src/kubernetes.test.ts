import { KubeConfig } from '@kubernetes/client-node';
import type { FakeApiServer } from './api-server.fake.ts';
import { startFakeApiServer } from './api-server.fake.ts';
import { kubernetes } from './kubernetes.ts';

const path = '/api/v1/namespaces/tools/pods/a';
let server: FakeApiServer;
let answer: { status: number; body: unknown };

beforeEach(async () => {
  answer = { status: 200, body: { metadata: { name: 'a' } } };
  server = await startFakeApiServer(() => answer);
});
afterEach(() => server.close());

test('calls carry the token, and do not each open a connection', async () => {
  const api = kubernetes(server.configuration);
  for (let call = 0; call < 20; call += 1) await api.read(path);
  expect(server.received.map(({ authorization }) => authorization)).toEqual(Array(20).fill('Bearer the-token'));
  expect(server.connections()).toBeLessThan(5);
});

test('an API server of another CA is not spoken to', async () => {
  const other = await startFakeApiServer(() => answer);
  const mixed = new KubeConfig();
  const { caData } = other.configuration.getCurrentCluster() ?? {};
  mixed.loadFromClusterAndUser({ ...server.configuration.getCurrentCluster(), caData } as never, { name: 'operator' });
  await expect(kubernetes(mixed).read(path)).rejects.toThrow('fetch failed');
  expect(server.received).toEqual([]);
  await other.close();
});

test('apply is a server-side apply under our name, on the status subresource too', async () => {
  await kubernetes(server.configuration).apply(`${path}/status`, { kind: 'Pod' });
  const [{ method, path: called, query, type, body } = {}] = server.received as Partial<(typeof server.received)[number]>[];
  expect({ method, called, type, body }).toEqual({
    method: 'PATCH',
    called: `${path}/status`,
    type: 'application/apply-patch+yaml',
    body: { kind: 'Pod' },
  });
  expect(Object.fromEntries(query ?? [])).toEqual({ fieldManager: 'rekey-operator', force: 'true' });
});

test('patch is a merge patch unless it says otherwise', async () => {
  const api = kubernetes(server.configuration);
  await api.patch(path, {});
  await api.patch(path, {}, 'application/strategic-merge-patch+json');
  expect(server.received.map(({ type }) => type)).toEqual(['application/merge-patch+json', 'application/strategic-merge-patch+json']);
});

test('create posts to the collection', async () => {
  answer = { status: 201, body: { metadata: { name: 'made' } } };
  await expect(kubernetes(server.configuration).create('/api/v1/namespaces/tools/pods', { kind: 'Pod' })).resolves.toEqual(answer.body);
  expect(server.received[0]).toMatchObject({ method: 'POST', type: 'application/json', body: { kind: 'Pod' } });
});

test('an object that is not there reads as undefined', async () => {
  answer = { status: 404, body: { reason: 'NotFound' } };
  await expect(kubernetes(server.configuration).read(path)).resolves.toBeUndefined();
});

test('an error tells its status and reason, and nothing of the text', async () => {
  answer = { status: 409, body: { reason: 'Conflict', message: 'object holds s3cret' } };
  const failure = kubernetes(server.configuration).apply(path, {});
  await expect(failure).rejects.toMatchObject({ status: 409, code: 'Conflict', message: 'HTTP 409 Conflict' });
});

test('get hands out the raw answer', async () => {
  answer = { status: 410, body: { reason: 'Expired' } };
  const response = await kubernetes(server.configuration).get('/api/v1/pods?limit=1', new AbortController().signal);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk);
  expect({ status: response.status, text }).toEqual({ status: 410, text: '{"reason":"Expired"}' });
});
