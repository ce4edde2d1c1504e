import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { LookupFunction } from 'node:net';
import { startDns } from './dns.fake.ts';
import { issue } from '../tls/issue.ts';
import { Metrics } from '../report/metrics.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, otherHost, startPod, until } from '../pod.fake.ts';
import { createLookup } from './resolve.ts';
import { Turn } from '../turn.ts';
import { Upstream } from './upstream.ts';

let pod: FakePod;
let addresses = ['127.0.0.2'];
/** Gives what the test wants, in the order that it wants. */
const lookup: LookupFunction = (_name, { all }, callback) => {
  const found = addresses.map((address) => ({ address, family: 4 }));
  process.nextTick(() => (all === true ? callback(null, found) : callback(null, found[0]?.address ?? '', 4)));
};

beforeAll(async () => {
  pod = await startPod({ lookup, upstream: { connectMilliseconds: 300, idleMilliseconds: 200 } });
});
afterAll(() => pod.stop());
beforeEach(async () => {
  addresses = ['127.0.0.2'];
  pod.upstream.closeAllConnections();
  await until(() => open() === 0);
});

let connections = 0;
const open = (): number => connections;
beforeAll(() => {
  pod.upstream.on('secureConnection', (socket: net.Socket) => {
    connections += 1;
    socket.on('close', () => (connections -= 1));
  });
});

const reasonOf = async (): Promise<unknown> => (await call(pod, { headers: bearer })).headers['rekey-error'];

/** Another server on the port of the upstream, at this address. */
async function listenAt(address: string, server: net.Server): Promise<() => Promise<void>> {
  await new Promise<void>((resolve) => server.listen(pod.port, address, resolve));
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      if (server instanceof https.Server) server.closeAllConnections();
    });
}

test('connections are kept, and closed after a while without use', async () => {
  const ports = new Set<number | undefined>();
  pod.handler = (request, response) => {
    ports.add(request.socket.remotePort);
    response.end();
  };
  for (let index = 0; index < 5; index += 1) await call(pod, { headers: bearer });
  expect(ports.size).toBe(1);
  await until(() => open() === 0);
});

test('a hundred calls at a time go on the same connections again and again', async () => {
  const ports = new Set<number | undefined>();
  const answers: (() => void)[] = [];
  pod.handler = (request, response) => {
    ports.add(request.socket.remotePort);
    answers.push(() => response.end());
  };
  for (let round = 0; round < 3; round += 1) {
    const calls = Array.from({ length: 100 }, () => call(pod, { headers: bearer }));
    await until(() => answers.length === 100);
    for (const answer of answers.splice(0)) answer();
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array<number>(100).fill(200));
  }
  expect(ports.size).toBe(100);
});

test('no more than 128 connections are idle, of all hosts together; the oldest go', async () => {
  const own = await startPod({ lookup });
  const sockets = new Set<net.Socket>();
  own.upstream.on('secureConnection', (socket: net.Socket) => void sockets.add(socket.once('close', () => sockets.delete(socket))));
  const answers: (() => void)[] = [];
  own.handler = (_request, response) => void answers.push(() => response.end());
  for (const servername of ['api.github.test', otherHost]) {
    const calls = Array.from({ length: 100 }, () => call(own, { servername, headers: bearer }));
    await until(() => answers.length === 100);
    for (const answer of answers.splice(0)) answer();
    await Promise.all(calls);
  }
  await until(() => sockets.size <= 128);
  expect(sockets.size).toBe(128);
  await own.stop();
});

test('hosts without a connection are forgotten', () => {
  const upstream = new Upstream({ lookup, trusted: () => tls.createSecureContext(), metrics: new Metrics(), turn: new Turn() });
  for (let n = 0; n < 10_000; n += 1) upstream.take(`host-${n}.test`, 443, true);
  expect(upstream.hosts).toBeLessThanOrEqual(256);
});

test('a stream that is silent for longer than idle connections live is not cut', async () => {
  pod.handler = (_request, response) => {
    response.write('first ');
    setTimeout(() => response.end('last'), 600);
  };
  expect((await call(pod, { headers: bearer })).body.toString()).toBe('first last');
});

test('the next address is tried when the first does not accept', async () => {
  pod.handler = (_request, response) => void response.end('ok');
  addresses = ['127.0.0.9', '127.0.0.2'];
  expect((await call(pod, { headers: bearer })).status).toBe(200);
});

test('nobody listens: UpstreamUnreachable, nothing was injected anywhere', async () => {
  addresses = ['127.0.0.9'];
  expect(await reasonOf()).toBe('UpstreamUnreachable');
  await until(() => pod.audit.at(-1)?.reason === 'UpstreamUnreachable');
  expect(pod.audit.at(-1)).toMatchObject({ status: 502, injected: false, version: '7' });
});

test('a server that accepts and then says nothing: UpstreamTimeout', async () => {
  const stop = await listenAt(
    '127.0.0.3',
    net.createServer((socket) => void socket.on('error', () => {}).resume()),
  );
  addresses = ['127.0.0.3'];
  expect(await reasonOf()).toBe('UpstreamTimeout');
  await stop();
});

test.each([
  ['of another authority', 'api.github.test', false],
  ['for another name', 'api.notion.test', true],
])('a certificate %s: UpstreamCertificateInvalid, and the request does not leave', async (_name, host, isKnown) => {
  const { leaf } = await issue({ hosts: [host], now: Date.now(), ...(isKnown ? { ca: pod.authority } : {}) });
  let requests = 0;
  const server = https.createServer({ key: leaf.key, cert: leaf.certificate }, (_request, response) => {
    requests += 1;
    response.end();
  });
  const stop = await listenAt('127.0.0.4', server);
  addresses = ['127.0.0.4'];
  expect(await reasonOf()).toBe('UpstreamCertificateInvalid');
  expect(requests).toBe(0);
  await stop();
});

test('a server without TLS: UpstreamUnreachable', async () => {
  const stop = await listenAt(
    '127.0.0.5',
    net.createServer(
      (socket) =>
        void socket
          .on('error', () => {})
          .resume()
          .end('HTTP/1.1 200 OK\r\n\r\n'),
    ),
  );
  addresses = ['127.0.0.5'];
  expect(await reasonOf()).toBe('UpstreamUnreachable');
  await stop();
});

test('with the lookup of the product, an upstream on loopback is forbidden', async () => {
  const dns = await startDns({ 'api.github.test': { a: ['127.0.0.2'] } });
  const strict = await startPod({ lookup: createLookup({ servers: dns.servers, resolvConf: '' }) });
  const lenient = await startPod({ lookup: createLookup({ servers: dns.servers, resolvConf: '', allowLoopback: true }) });
  expect((await call(strict, { headers: bearer })).headers['rekey-error']).toBe('UpstreamAddressForbidden');
  expect((await call(lenient, { headers: bearer })).status).toBe(200);
  delete dns.zone['api.github.test'];
  dns.zone['api.notion.test'] = {};
  expect((await call(lenient, { servername: 'api.notion.test', headers: bearer })).headers['rekey-error']).toBe('UpstreamNameNotFound');
  await Promise.all([strict.stop(), lenient.stop()]);
  dns.stop();
});
