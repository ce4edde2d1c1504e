import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import type { FakePod } from '../pod.fake.ts';
import { answerTo, bearer, call, placeholder, startPod, until } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

let pod: FakePod;
beforeAll(async () => {
  pod = await startPod();
});
afterAll(() => pod.stop());

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('status, fields and body of the answer arrive as they were, those of the connection do not', async () => {
  pod.handler = (_request, response) => {
    const fields = [
      'X-Answer',
      '1',
      'x-answer',
      '2',
      'Set-Cookie',
      'a',
      'Set-Cookie',
      'b',
      'Connection',
      'X-Mine',
      'X-Mine',
      'x',
      'Proxy-Authenticate',
      'x',
    ];
    response.writeHead(299, 'Odd', ['Content-Length', '5', ...fields]);
    response.end('hello');
  };
  const { status, rawHeaders, body } = await call(pod, { headers: bearer });
  expect(status).toBe(299);
  expect(body.toString()).toBe('hello');
  expect(rawHeaders.slice(0, 10)).toEqual(['Content-Length', '5', 'X-Answer', '1', 'x-answer', '2', 'Set-Cookie', 'a', 'Set-Cookie', 'b']);
  expect(rawHeaders).not.toContain('X-Mine');
  expect(rawHeaders).not.toContain('Proxy-Authenticate');
});

test('a redirect is handed on, not followed', async () => {
  let calls = 0;
  pod.handler = (_request, response) => {
    calls += 1;
    response.writeHead(302, { location: `https://${pod.host}/elsewhere` }).end();
  };
  const { status, headers } = await call(pod, { headers: bearer });
  expect([status, headers.location, calls]).toEqual([302, `https://${pod.host}/elsewhere`, 1]);
});

test.each([
  ['HEAD', 200, { 'content-length': '1000' }],
  ['GET', 204, {}],
  ['GET', 304, { 'content-length': '1000', etag: '"a"' }],
])('an answer without a body: %s %i', async (method, status, headers) => {
  pod.handler = (_request, response) => void response.writeHead(status, headers).end();
  const answer = await call(pod, { method, headers: bearer });
  expect(answer.status).toBe(status);
  expect(answer.headers).toMatchObject(headers);
  expect(answer.body.length).toBe(0);
  expect((await call(pod, { method, headers: bearer })).status).toBe(status);
});

test.each(['POST', 'PUT', 'DELETE', 'GET'])('a body goes up whole with %s, by length and in chunks', async (method) => {
  pod.handler = (request, response) => {
    void buffer(request).then((body) =>
      response.end(`${request.headers['content-length']} ${request.headers['transfer-encoding']} ${body.length}`),
    );
  };
  const body = randomBytes(1000);
  expect((await call(pod, { method, headers: { ...bearer, 'content-length': 1000 } }, body)).body.toString()).toBe('1000 undefined 1000');
  expect((await call(pod, { method, headers: { ...bearer, 'transfer-encoding': 'chunked' } }, body)).body.toString()).toBe(
    'undefined chunked 1000',
  );
});

test('a POST without a body has length 0', async () => {
  pod.handler = (request, response) => void response.end(String(request.headers['content-length']));
  const request = pod.request({ method: 'POST', headers: ['Host', pod.host, 'Content-Length', '0'] });
  expect((await buffer(await answerTo(request.end()))).toString()).toBe('0');
});

test('large bodies pass both ways unchanged', async () => {
  const up = randomBytes(3_000_000);
  const down = randomBytes(3_000_000);
  pod.handler = (request, response) => {
    void buffer(request).then((body) => response.setHeader('x-sum', sha(body)).end(down));
  };
  const answer = await call(pod, { method: 'POST', headers: bearer }, up);
  expect(answer.headers['x-sum']).toBe(sha(up));
  expect(sha(answer.body)).toBe(sha(down));
});

test('no more is read from an upstream than the client takes, and the reverse', async () => {
  const chunk = Buffer.alloc(65_536);
  let sent = 0;
  const pump = (response: ServerResponse): void => {
    for (let more = true; more && sent < enough; sent += chunk.length) more = response.write(chunk);
  };
  pod.handler = (_request, response) => {
    response.on('drain', () => pump(response));
    pump(response);
  };
  const request = pod.request({ headers: bearer }).end();
  const answer = await answerTo(request);
  answer.pause();
  await settled(() => sent);
  expect(sent).toBeLessThan(enough);
  request.destroy();

  let taken = 0;
  pod.handler = (upload) => {
    upload.on('data', (data: Buffer) => {
      taken += data.length;
      upload.pause();
    });
  };
  const upload = pod.request({ method: 'POST', headers: bearer });
  upload.on('error', () => {});
  let written = 0;
  const push = (): void => {
    for (let more = true; more && written < enough; written += chunk.length) more = upload.write(chunk);
  };
  upload.on('drain', push);
  push();
  await settled(() => written);
  expect(taken).toBeGreaterThan(0);
  expect(written).toBeLessThan(enough);
  upload.destroy();
});

/** More than all sockets and buffers on the way hold. */
const enough = 100_000_000;

/** Waits until a number stops growing. */
async function settled(read: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 10; last = read()) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = read() === last && last > 0 ? same + 1 : 0;
  }
}

test('the head of a stream and each of its events arrive while the upstream still writes', async () => {
  let upstream: ServerResponse | undefined;
  pod.handler = (_request, response) => {
    upstream = response;
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  };
  const answer = await answerTo(pod.request({ headers: bearer }).end());
  for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
    upstream?.write(event);
    const [chunk] = (await once(answer, 'data')) as [Buffer];
    expect(chunk.toString()).toBe(event);
  }
  upstream?.end();
  await once(answer, 'end');
});

test('an upload arrives while the client still writes', async () => {
  const chunks: string[] = [];
  pod.handler = (request, response) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    request.on('end', () => response.end());
  };
  const request = pod.request({ method: 'POST', headers: bearer });
  request.write('first');
  await until(() => chunks.length === 1);
  request.end('last');
  (await answerTo(request)).resume();
  expect(chunks.join(' ')).toBe('first last');
});

test.each([false, true])('a client that goes away ends the call at the upstream (after the head: %s)', async (started) => {
  const closed = Promise.withResolvers<boolean>();
  pod.handler = (request, response) => {
    if (started) response.write('first');
    request.socket.on('close', () => closed.resolve(true));
    if (!started) client.destroy();
  };
  const client = pod.request({ headers: bearer }).end();
  client.on('error', () => {});
  client.on('response', (answer) => answer.on('data', () => client.destroy()).on('error', () => {}));
  expect(await closed.promise).toBe(true);
  await until(() => pod.audit.at(-1)?.status === (started ? 200 : 0));
});

test.each([
  ['by length', { 'content-length': '1000' }],
  ['in chunks', {}],
])('an answer that the upstream cuts off is not taken for whole: %s', async (_name, headers) => {
  pod.handler = (_request, response) => {
    response.writeHead(200, headers).write('first');
    setTimeout(() => response.destroy(), 20);
  };
  const answer = await answerTo(pod.request({ headers: bearer }).end());
  await expect(buffer(answer)).rejects.toThrow('aborted');
});

test('an upstream that ends the connection without an answer is told as UpstreamReset', async () => {
  pod.handler = (request) => void request.socket.destroy();
  const { status, headers } = await call(pod, { method: 'POST', headers: bearer }, 'body');
  expect([status, headers['rekey-error'], headers['retry-after']]).toEqual([502, 'UpstreamReset', '1']);
});

test('an upstream that speaks no HTTP is told as UpstreamReset', async () => {
  pod.handler = (request) => void request.socket.end('garbage\r\n\r\n');
  expect((await call(pod, { headers: bearer })).headers['rekey-error']).toBe('UpstreamReset');
});

test('trailers pass both ways', async () => {
  let trailers: unknown;
  pod.handler = (request, response) => {
    request.resume().on('end', () => {
      trailers = request.trailers;
      response.writeHead(200, { trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': '2' });
      response.end();
    });
  };
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, inject: [{ header: { name: 'X-Api-Key' } }] };
  const request = pod.request({ method: 'POST', headers: { 'x-api-key': placeholder, trailer: 'X-Sum', 'transfer-encoding': 'chunked' } });
  request.write('body');
  request.addTrailers({ 'X-Sum': '1', 'Content-Type': 'evil', X_Api_Key: 'evil' });
  const answer = await answerTo(request.end());
  await buffer(answer);
  pod.credential.current = current;
  expect(trailers).toEqual({ 'x-sum': '1' });
  expect(answer.trailers).toEqual({ 'x-sum': '2' });
});

test('100-continue is the upstream’s word', async () => {
  let body = '';
  pod.upstream.once('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    expect(body).toBe('');
    response.writeContinue();
    void buffer(request).then((bytes) => response.end(bytes));
  });
  const request = pod.request({ method: 'POST', headers: { ...bearer, expect: '100-continue', 'content-length': 4 } });
  request.flushHeaders();
  await once(request, 'continue');
  body = 'body';
  const answer = await answerTo(request.end(body));
  expect((await buffer(answer)).toString()).toBe('body');

  pod.upstream.once('checkContinue', (_request: IncomingMessage, response: ServerResponse) => void response.writeHead(413).end());
  const refused = pod.request({ method: 'POST', headers: { ...bearer, expect: '100-continue', 'content-length': 4 } });
  refused.flushHeaders();
  expect((await answerTo(refused)).statusCode).toBe(413);
  refused.destroy();
});

test('an answer that comes before the whole body passes, and the upload ends', async () => {
  pod.handler = (request, response) => {
    request.once('data', () => response.writeHead(413, { connection: 'close' }).end('too large'));
  };
  const answer = await call(pod, { method: 'POST', headers: bearer }, randomBytes(4_000_000));
  expect([answer.status, answer.body.toString()]).toEqual([413, 'too large']);
});

test('a kept connection that the upstream has closed costs an idempotent call nothing, and a POST is not sent twice', async () => {
  const paths: (string | undefined)[] = [];
  let closes = false;
  pod.handler = (request, response) => {
    paths.push(request.url);
    if (closes) request.socket.destroy();
    else response.end('ok');
    closes = false;
  };
  await call(pod, { path: '/warm', headers: bearer });
  closes = true;
  expect((await call(pod, { path: '/get', headers: bearer })).status).toBe(200);
  await call(pod, { path: '/warm', headers: bearer });
  closes = true;
  expect((await call(pod, { method: 'POST', path: '/post', headers: bearer }, 'a')).status).toBe(502);
  expect(paths).toEqual(['/warm', '/get', '/get', '/warm', '/post']);
});

test('many calls at once each get their own answer, on kept connections', async () => {
  pod.handler = (request, response) => void setTimeout(() => response.end(request.url), 5);
  const paths = Array.from({ length: 24 }, (_, index) => `/${index}`);
  for (const cold of [true, false]) {
    pod.credential.cold = cold;
    const answers = await Promise.all(paths.map((path) => call(pod, { path, headers: bearer })));
    expect(answers.map(({ body }) => body.toString())).toEqual(paths);
  }
  pod.credential.cold = false;
  const metrics = await scrape(pod);
  expect(Number(/^rekey_upstream_connections (\d+)$/mu.exec(metrics)?.[1])).toBeLessThanOrEqual(32);
});

test('requests in one write are answered in their order', async () => {
  pod.handler = (request, response) => void setTimeout(() => response.end(request.url), request.url === '/1' ? 30 : 0);
  const socket = tls.connect({
    host: '127.0.0.1',
    port: pod.port,
    servername: 'api.github.test',
    ca: readFileSync(join(pod.folder, 'ca.crt')),
  });
  socket.write(
    ['/1', '/2']
      .map((path) => `GET ${path} HTTP/1.1\r\nHost: ${pod.host}\r\nConnection: ${path === '/2' ? 'close' : 'keep-alive'}\r\n\r\n`)
      .join(''),
  );
  const text = (await buffer(socket)).toString();
  expect(text.indexOf('/1')).toBeGreaterThan(0);
  expect(text.indexOf('/2')).toBeGreaterThan(text.indexOf('/1'));
});
