import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import type { FakeApiServer } from './api-server.fake.ts';
import { fakeApiServer, write } from './api-server.fake.ts';
import { fakeServer } from './upstream/https.fake.ts';
import type { Kubernetes } from './kubernetes.ts';
import { kubernetes } from './kubernetes.ts';

let api: FakeApiServer;
let client: Kubernetes;
let now: number;

beforeEach(async () => {
  api = await fakeApiServer();
  now = 0;
  client = open(api.server.port);
});
afterEach(async () => {
  client.close();
  await api.close();
});

function open(port: number): Kubernetes {
  return kubernetes({
    host: 'localhost',
    port,
    ca: () => readFile(`${api.identity}/api/ca.crt`, 'utf8'),
    token: () => readFile(`${api.identity}/api/token`, 'utf8'),
    now: () => now,
  });
}

const signal = new AbortController().signal;
async function get(path = '/things'): Promise<{ status: number; body: string }> {
  const { status, body } = await client.get(path, signal);
  return { status, body: await text(body as NodeJS.ReadableStream) };
}

test('a status is applied under our name, by force, over a connection that is kept', async () => {
  const body = { kind: 'Thing', metadata: { name: 'a' }, status: {} };
  for (let call = 0; call < 5; call += 1) {
    expect(await client.applyStatus('/things/a/status', body, signal)).toEqual({ status: 200, body: { spec: { podUID: 'uid-1' } } });
  }
  expect(api.patches[0]).toEqual({
    path: '/things/a/status',
    query: '?fieldManager=rekey-sidecar&force=true',
    type: 'application/apply-patch+yaml',
    body,
  });
  expect(api.server.connections()).toBe(1);
});

test('the token is read again after a minute', async () => {
  await get();
  write(api.identity, 'api/token', 'token-2');
  now = 59_999;
  await get();
  now = 60_000;
  await get();
  expect(api.tokens).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
});

test('the token is read again after a 401', async () => {
  api.away = 401;
  expect((await get()).status).toBe(401);
  write(api.identity, 'api/token', 'token-2');
  await get();
  expect(api.tokens).toEqual(['Bearer token-1', 'Bearer token-2']);
});

test('a server of another authority gets no token', async () => {
  const other = await fakeServer('localhost', (_request, response) => void response.end(), true);
  const stranger = open(other.port);
  await expect(stranger.get('/things', signal)).rejects.toThrow(/certificate/u);
  stranger.close();
  await other.close();
});

test('an authority that was replaced is known after a minute', async () => {
  await get();
  const other = await fakeServer('localhost', (_request, response) => void response.end('new'), true);
  write(api.identity, 'api/ca.crt', other.ca);
  const moved = open(other.port);
  expect((await moved.get('/things', signal)).status).toBe(200);
  moved.close();
  await other.close();
});

test('a redirect is an answer like any other', async () => {
  api.away = 307;
  expect((await get()).status).toBe(307);
  expect(api.tokens).toHaveLength(1);
});

test('an answer to a patch that is too large is given up', async () => {
  api.patched.body = { text: 'x'.repeat(1024 * 1024) };
  await expect(client.applyStatus('/things/a/status', {}, signal)).rejects.toThrow(RangeError);
});

test('an answer that is not JSON has no body', async () => {
  const page = await fakeServer('localhost', (_request, response) => void response.writeHead(502).end('<html>'));
  write(api.identity, 'api/ca.crt', page.ca);
  const other = open(page.port);
  expect(await other.applyStatus('/things/a/status', {}, signal)).toEqual({ status: 502, body: undefined });
  other.close();
  await page.close();
});

test('an abort ends a call, and the body of one', async () => {
  const controller = new AbortController();
  const { body } = await client.get('/things?watch=true', controller.signal);
  const reading = text(body as NodeJS.ReadableStream);
  controller.abort();
  await expect(reading).rejects.toThrow('aborted');
  await expect(client.get('/things', controller.signal)).rejects.toThrow(/abort/iu);
});
