import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Refusal } from '@rekey/crds/credential.ts';
import type { FakeCredential, FakePod } from '../pod.fake.ts';
import { answerTo, bearer, call, placeholder, startPod, until } from '../pod.fake.ts';

let pod: FakePod;
let credential: FakeCredential;
beforeAll(async () => {
  pod = await startPod();
  credential = pod.credential;
});
afterAll(() => pod.stop());

/** What the upstream takes, and how it refuses everything else. */
let valid = '8';
let refuse: (response: ServerResponse) => void;
let seen: { version: string; method: string | undefined; body: Buffer }[] = [];

beforeEach(() => {
  signs([{ status: 401 }]);
  Object.assign(credential, { held: '7', newest: '8', failing: undefined, reads: 0, reports: [] });
  valid = '8';
  seen = [];
  refuse = (response) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('refused');
  pod.handler = (request, response) => void buffer(request).then((body) => upstream(request, response, body));
});

function upstream(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const version = ['7', '8', '9'].find((text) => request.headers.authorization === `Bearer ${credential.value(text)}`) ?? 'none';
  seen.push({ version, method: request.method, body });
  if (version === valid) response.end(body.length === 0 ? 'accepted' : body);
  else refuse(response);
}

function signs(refused: Refusal[]): void {
  if (credential.current !== undefined) credential.current = { ...credential.current, refused };
}

const versions = (): string[] => seen.map(({ version }) => version);

test.each(['content-length', 'transfer-encoding'])(
  'a refused POST is sent once more with the new value, body and method included: %s',
  async (framing) => {
    const body = randomBytes(200_000);
    const headers = { ...bearer, [framing]: framing === 'content-length' ? body.length : 'chunked' };
    const answer = await call(pod, { method: 'POST', headers }, body);
    expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
    expect(seen.map(({ version, method, body }) => [version, method, body.length])).toEqual([
      ['7', 'POST', 200_000],
      ['8', 'POST', 200_000],
    ]);
    expect(credential.reports).toEqual([['8', true]]);
  },
);

test('a query parameter is written anew too', async () => {
  const { current } = credential;
  if (current !== undefined) credential.current = { ...current, inject: [{ query: { name: 'key' } }] };
  const targets: (string | undefined)[] = [];
  pod.handler = (request, response) => {
    targets.push(request.url);
    response.writeHead(targets.length === 1 ? 401 : 200).end();
  };
  await call(pod, { path: `/?key=${placeholder}&a=b` });
  credential.current = current;
  expect(targets).toEqual(['7', '8'].map((version) => `/?key=${encodeURIComponent(credential.value(version))}&a=b`));
});

test('when the source has nothing newer the refusal passes as it was', async () => {
  credential.newest = '7';
  const answer = await call(pod, { method: 'POST', headers: bearer }, 'body');
  expect([answer.status, answer.headers['www-authenticate'], answer.body.toString()]).toEqual([401, 'Bearer', 'refused']);
  expect(versions()).toEqual(['7']);
  expect(credential.reports).toEqual([['7', false]]);
});

test('when the source is away the refusal passes as it was', async () => {
  pod.handler = (_request, response) => {
    credential.failing = 'SourceUnreachable';
    refuse(response);
  };
  const answer = await call(pod, { headers: bearer });
  expect([answer.status, answer.body.toString(), answer.headers['rekey-error']]).toEqual([401, 'refused', undefined]);
  expect(credential.reports).toEqual([['7', false]]);
});

test('a call is replayed once at most, even when the source changes again meanwhile', async () => {
  valid = '9';
  refuse = (response) => {
    credential.newest = seen.length === 1 ? '8' : '9';
    response.writeHead(401).end('refused');
  };
  const answer = await call(pod, { headers: bearer });
  expect([answer.status, answer.body.toString()]).toEqual([401, 'refused']);
  expect(versions()).toEqual(['7', '8']);
  expect(credential.reports).toEqual([['8', false]]);
});

test('a call without the placeholder is not replayed', async () => {
  const answer = await call(pod, { headers: { authorization: 'Bearer mine' } });
  expect(answer.status).toBe(401);
  expect(versions()).toEqual(['none']);
  expect(credential.reads).toBe(0);
});

test('a body too large to keep: the refusal passes, and the source is asked for the next call', async () => {
  const body = randomBytes(300_000);
  expect((await call(pod, { method: 'POST', headers: bearer }, body)).status).toBe(401);
  expect(versions()).toEqual(['7']);
  expect(credential.reads).toBe(1);
  await until(() => credential.held === '8');
  expect((await call(pod, { method: 'POST', headers: bearer }, body)).status).toBe(200);
});

test('a refusal that comes before the whole body: the rest, however much, follows into the replay', async () => {
  const refusedEarly = Promise.withResolvers<void>();
  pod.handler = (request, response) => {
    if (seen.length === 0) {
      seen.push({ version: '7', method: request.method, body: Buffer.alloc(0) });
      refuse(response);
      refusedEarly.resolve();
      return;
    }
    void buffer(request).then((body) => upstream(request, response, body));
  };
  const release = holdSource();
  const [first, rest] = [randomBytes(1000), randomBytes(600_000)];
  const request = pod.request({ method: 'POST', headers: { ...bearer, 'transfer-encoding': 'chunked' } });
  request.write(first);
  await refusedEarly.promise;
  request.end(rest);
  await new Promise((resolve) => setTimeout(resolve, 50));
  release();
  const answer = await answerTo(request);
  expect([answer.statusCode, Buffer.concat([first, rest]).equals(await buffer(answer))]).toEqual([200, true]);
});

/** The source does not answer until the returned function is called. */
function holdSource(): () => void {
  const ask = credential.grantAfterRefusal.bind(credential);
  const held = Promise.withResolvers<void>();
  credential.grantAfterRefusal = async (version) => {
    await held.promise;
    credential.grantAfterRefusal = ask;
    return ask(version);
  };
  return held.resolve;
}

test('100 calls in the moment of a rotation: each is accepted, and the source is read once', async () => {
  const release = holdSource();
  const calls = Array.from({ length: 100 }, () => call(pod, { method: 'POST', headers: bearer }, 'body'));
  // However slow the machine is, several calls are refused before the source has an answer.
  await until(() => versions().filter((version) => version === '7').length > 1);
  release();
  const answers = await Promise.all(calls);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(seen.every(({ body }) => body.toString() === 'body')).toBe(true);
});

const said = '{"ok":false,"error":{"code":"invalid_auth"}}';
const codings: Record<string, (text: string) => Buffer> = {
  identity: (text) => Buffer.from(text),
  gzip: (text) => gzipSync(text),
  br: (text) => brotliCompressSync(text),
  deflate: (text) => deflateSync(text),
  zstd: (text) => zstdCompressSync(text),
};

test.each(Object.keys(codings))('a refusal that the body says, status 200: %s', async (coding) => {
  signs([{ status: 422 }, { status: 200, jsonField: 'error.code', equals: 'invalid_auth' }]);
  const body = codings[coding]?.(said) ?? Buffer.alloc(0);
  refuse = (response) =>
    void response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-encoding': coding }).end(body);
  expect((await call(pod, { method: 'POST', headers: bearer }, 'body')).body.toString()).toBe('body');
  expect(versions()).toEqual(['7', '8']);

  Object.assign(credential, { held: '7', newest: '7', reports: [] });
  const passed = await call(pod, { headers: bearer });
  expect(passed.body.equals(body)).toBe(true);
  expect(passed.headers['content-encoding']).toBe(coding);
  expect(credential.reports).toEqual([['7', false]]);
});

test('a boolean field is compared by its text', async () => {
  signs([{ status: 200, jsonField: 'ok', equals: 'false' }]);
  refuse = (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(said);
  expect((await call(pod, { headers: bearer })).body.toString()).toBe('accepted');
});

test('status 422 is a refusal only where the rule says so', async () => {
  refuse = (response) => void response.writeHead(422).end();
  expect((await call(pod, { headers: bearer })).status).toBe(422);
  signs([{ status: 422 }]);
  expect((await call(pod, { headers: bearer })).status).toBe(200);
  expect(versions()).toEqual(['7', '7', '8']);
});

const others: Record<string, [Record<string, string>, string | Buffer]> = {
  'another value of the field': [{ 'content-type': 'application/json' }, '{"error":{"code":"ratelimited"}}'],
  'the field elsewhere': [{ 'content-type': 'application/json' }, '{"data":{"error":{"code":"invalid_auth"}}}'],
  'another type': [{ 'content-type': 'text/plain' }, said],
  'no JSON': [{ 'content-type': 'application/json' }, 'error.code invalid_auth'],
  'a coding that nobody knows': [{ 'content-type': 'application/json', 'content-encoding': 'x' }, said],
  'broken gzip': [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, said],
  'a bomb': [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync(`${' '.repeat(2_000_000)}${said}`)],
  'a field behind more than is read': [{ 'content-type': 'application/json' }, `${' '.repeat(300_000)}${said}`],
};

test.each(Object.entries(others))('an answer that is no refusal passes byte by byte: %s', async (_name, [headers, body]) => {
  signs([{ status: 200, jsonField: 'error.code', equals: 'invalid_auth' }]);
  for (const framing of [{}, { 'content-length': String(body.length) }]) {
    refuse = (response) => void response.writeHead(200, { ...headers, ...framing }).end(body);
    const answer = await call(pod, { headers: bearer });
    expect([answer.status, answer.body.equals(Buffer.from(body))]).toEqual([200, true]);
  }
  expect(versions()).toEqual(['7', '7']);
  expect(credential.reads).toBe(0);
});

test('a stream passes at once although a field of its JSON could be a refusal', async () => {
  signs([{ status: 200, jsonField: 'error', equals: 'invalid_auth' }]);
  pod.handler = (_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
  const request = pod.request({ headers: bearer }).end();
  const answer = await answerTo(request);
  expect(answer.statusCode).toBe(200);
  request.destroy();
});

test('a broken upstream says nothing about the credential', async () => {
  valid = '7';
  pod.handler = (_request, response) => void response.writeHead(500).end();
  await call(pod, { headers: bearer });
  expect(credential.reports).toEqual([]);
});

test('a client that goes away while the source is asked ends the call', async () => {
  const request = pod.request({ path: '/gone', headers: bearer });
  request.on('error', () => {});
  refuse = (response) => {
    response.writeHead(401).end();
    setTimeout(() => request.destroy(), 1);
  };
  const release = holdSource();
  const line = (): unknown => pod.audit.find(({ path }) => path === '/gone');
  request.end();
  await until(() => line() !== undefined);
  release();
  await until(() => credential.held === '8');
  await call(pod, { headers: { authorization: 'Bearer mine' } });
  expect(line()).toMatchObject({ status: 0, version: '7', injected: true, replayed: false });
  expect(versions()).toEqual(['7', 'none']);
});
