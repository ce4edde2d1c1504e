import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';

let pod: FakePod;
let ca: Buffer;
beforeAll(async () => {
  pod = await startPod();
  ca = readFileSync(join(pod.folder, 'ca.crt'));
});
afterAll(() => pod.stop());

/** What a client gets when the upstream writes these bytes, and then ends the connection or does not. */
async function answerTo(bytes: string, ends: boolean, method = 'GET'): Promise<string> {
  pod.handler = ({ socket }) => {
    socket.write(bytes, 'latin1');
    if (ends) socket.end();
  };
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: 'api.github.test', ca });
  socket.on('error', () => {});
  socket.write(`${method} / HTTP/1.1\r\nHost: ${pod.host}\r\nConnection: close\r\n\r\n`);
  return (await buffer(socket)).toString('latin1');
}

const bad: Record<string, string> = {
  '9112-4 another protocol': 'HTTP/2 200 OK\r\n\r\n',
  '9112-4 no status': 'HTTP/1.1 OK\r\n\r\n',
  '9112-4 a status of two digits': 'HTTP/1.1 99 OK\r\n\r\n',
  '9110-15 a status above 599': 'HTTP/1.1 600 OK\r\n\r\n',
  '9112-4 NUL in the phrase': 'HTTP/1.1 200 O\u0000K\r\n\r\n',
  '9112-2.2 bare line feeds': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  '9112-2.2 a bare CR in a field': 'HTTP/1.1 200 OK\r\nX-A: 1\rSet-Cookie: a\r\nContent-Length: 0\r\n\r\n',
  '9112-5.1 a space before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n',
  '9112-5.2 a folded line': 'HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n',
  '9112-6.3 two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok',
  '9112-6.3 the same length twice': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
  '9112-6.3 a length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  '9112-6.1 another coding': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  '9112-6.1 chunks in HTTP/1.0': 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  '9110-15.2.2 a switch of protocols that nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  '9110-15.2 no end of answers before the answer': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40),
};

test.each(Object.entries(bad))('RFC %s: the client is told 502 UpstreamReset', async (_name, bytes) => {
  const text = await answerTo(bytes, false);
  expect(text.slice(text.indexOf('HTTP/1.1 502'))).toMatch(/^HTTP\/1\.1 502 [^]*rekey-error: UpstreamReset/u);
  expect(text).not.toContain('Set-Cookie');
});

test('chunks that turn out bad cut the answer off, so that nobody takes it for whole', async () => {
  const answered = answerTo('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n', false);
  const { handler } = pod;
  pod.handler = (request, response) => {
    handler(request, response);
    setTimeout(() => request.socket.write('x\r\n\r\n'), 50);
  };
  const text = await answered;
  expect(text).toMatch(/\r\n\r\n2\r\nok\r\n$/u);
});

const good: Record<string, [bytes: string, ends: boolean, seen: string]> = {
  '9110-15.2 hints before the answer': [
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    false,
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
  ],
  '9112-6.3 a body that ends with its connection': ['HTTP/1.1 200 OK\r\n\r\nok', true, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok'],
  '9112-4 an answer of HTTP/1.0': ['HTTP/1.0 200 OK\r\n\r\nok', true, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok'],
  '9112-4 no phrase, and no space before it': [
    'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok',
    false,
    'HTTP/1.1 200 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
  ],
  '9112-7.1.1 an extension of a chunk ends here': [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n',
    false,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ],
  '9110-6.5.1 a trailer passes, one that frames does not': [
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n',
    false,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
  ],
  '9110-7.6.1 fields of the connection end here': [
    'HTTP/1.1 200 OK\r\nConnection: X-A\r\nX-A: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 2\r\n\r\nok',
    false,
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok',
  ],
};

test.each(Object.entries(good))('RFC %s', async (_name, [bytes, ends, seen]) => {
  expect(await answerTo(bytes, ends)).toBe(seen);
});

test('bytes behind an answer end the connection to the upstream, and are nobody’s', async () => {
  const text = await answerTo('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil', false);
  expect(text).toMatch(/ok$/u);
  pod.handler = (_request, response) => void response.end('mine');
  expect((await call(pod, { headers: bearer })).body.toString()).toBe('mine');
});

test('a POST does not go on a kept connection that the upstream has ended, or that it will not keep', async () => {
  const sockets: Socket[] = [];
  let keeps = '';
  pod.handler = (request, response) => {
    sockets.push(request.socket);
    request.resume().on('end', () => response.writeHead(200, keeps === '' ? {} : { 'keep-alive': keeps }).end());
  };
  const post = async (): Promise<number> => (await call(pod, { method: 'POST', headers: bearer }, 'body')).status;
  expect(await post()).toBe(200);
  sockets.at(-1)?.end();
  await until(() => sockets.at(-1)?.destroyed === true);
  expect(await post()).toBe(200);
  keeps = 'timeout=1';
  expect([await post(), await post()]).toEqual([200, 200]);
  expect(sockets[2]).toBe(sockets[1]);
  expect(sockets[3]).not.toBe(sockets[2]);
});
