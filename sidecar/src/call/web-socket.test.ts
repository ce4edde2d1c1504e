import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { allWays } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';
import { WebSocket, WebSocketServer } from 'ws';
import { fakeClock, settle } from '../clock.fake.ts';
import type { FakeClock } from '../clock.fake.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, until } from '../pod.fake.ts';
import type { PodOnAllWays } from './ways.fake.ts';
import { startOnAllWays } from './ways.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

const allow: CredentialSpec['allow'] = [{ pathPrefix: '/api' }, { pathPrefix: '/ws', upgrade: 'WebSocket' }];
let pod: FakePod;
let clock: FakeClock;
let all: PodOnAllWays;
let authorizations: (string | undefined)[];
/** The upstream's end of the last one. */
let theirs: WebSocket;
/** What the upstream does with a handshake. */
let echo: typeof upgrade;
let upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

beforeAll(async () => {
  clock = fakeClock();
  all = await startOnAllWays({ clock, github: () => ({ allow }) });
  ({ pod } = all);
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  echo = (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (one) => {
      theirs = one;
      one.on('error', () => {}).on('message', (bytes: Buffer, isBinary: boolean) => one.send(isBinary ? bytes : bytes.toString()));
    });
  pod.upstream.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    authorizations.push(request.headers.authorization);
    socket.on('error', () => {});
    upgrade(request, socket, head);
  });
});
afterAll(() => pod.stop());
beforeEach(() => {
  authorizations = [];
  upgrade = echo;
  const { current } = pod.credential;
  Object.assign(pod.credential, { held: '7', newest: '7', current: { ...current, allow, scrubResponses: false } });
});

const urls: Record<Way, () => string> = {
  hosts: () => `wss://${pod.host}`,
  proxy: () => `wss://${pod.host}`,
  baseUrl: () => `ws://${all.authority('baseUrl')}`,
};

/** A client's WebSocket that has begun, with the placeholder in its handshake. */
async function open(way: Way = 'hosts', path = '/ws/live'): Promise<WebSocket> {
  const socket = await all.connect(way);
  const client = new WebSocket(`${urls[way]()}${path}`, ['mcp'], { headers: bearer, createConnection: () => socket });
  client.on('error', () => {});
  await once(client, 'open');
  return client;
}

async function echoed(client: WebSocket, data: string | Buffer): Promise<Buffer> {
  client.send(data);
  const [bytes] = (await once(client, 'message')) as [Buffer];
  return bytes;
}

test.each(allWays)('by %s: the handshake carries the value, and all bytes come as they were sent, both ways', async (way) => {
  const client = await open(way);
  expect(authorizations).toEqual([`Bearer ${pod.credential.value('7')}`]);
  expect([client.protocol, client.extensions]).toEqual(['mcp', 'permessage-deflate']);
  for (const size of [0, 1, 125, 65_536, 3_000_000]) {
    const bytes = randomBytes(size);
    expect((await echoed(client, bytes)).equals(bytes)).toBe(true);
  }
  expect((await echoed(client, 'text, ünd mehr 😀')).toString()).toBe('text, ünd mehr 😀');
  client.close(4000, 'enough');
  const [[code, reason], [ownCode]] = (await Promise.all([once(theirs, 'close'), once(client, 'close')])) as [[number, Buffer], [number]];
  expect([code, reason.toString(), ownCode]).toEqual([4000, 'enough', 4000]);
});

test('the audit has a line when it begins, and it counts as a call under way and an open connection until it ends', async () => {
  const lines = pod.audit.length;
  const client = await open();
  await pod.flushed(lines + 1);
  expect(pod.audit.slice(lines)).toMatchObject([{ status: 101, injected: true, path: '/ws/live', version: '7' }]);
  expect(pod.credential.underWay.get('7')).toBe(1);
  await until(async () => /^rekey_client_connections 1$/mu.test(await scrape(pod)));
  await until(async () => /^rekey_calls_active.* 1$/mu.test(await scrape(pod)));
  client.terminate();
  await until(async () => /^rekey_client_connections 0$/mu.test(await scrape(pod)));
  await until(async () => /^rekey_upstream_connections 0$/mu.test(await scrape(pod)));
  expect(pod.audit).toHaveLength(lines + 1);
});

test('silent for an hour, it goes on', async () => {
  const client = await open();
  await clock.pass(3_600_000);
  await settle();
  expect((await echoed(client, 'still here')).toString()).toBe('still here');
  client.terminate();
});

test('a client that goes ends it for the upstream, and the reverse', async () => {
  const first = await open();
  const gone = once(theirs, 'close');
  first.terminate();
  expect((await gone)[0]).toBe(1006);
  const second = await open();
  const lost = once(second, 'close');
  theirs.terminate();
  expect((await lost)[0]).toBe(1006);
});

test.each([
  ['the upstream', (client: WebSocket): [WebSocket, WebSocket] => [client, theirs]],
  ['the client', (client: WebSocket): [WebSocket, WebSocket] => [theirs, client]],
])('who sends waits for %s that does not read, and nothing is lost', async (_who, ends) => {
  const [from, to] = ends(await open());
  theirs.removeAllListeners('message');
  const bytes = randomBytes(32 * 1024 * 1024);
  to.pause();
  from.send(bytes, { compress: false });
  let before = -1;
  while (before !== from.bufferedAmount) {
    before = from.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(from.bufferedAmount).toBeGreaterThan(16 * 1024 * 1024);
  const message = once(to, 'message');
  to.resume();
  const [got] = (await message) as [Buffer];
  expect(got.equals(bytes)).toBe(true);
  from.terminate();
});

const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const handshake = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': key, 'sec-websocket-version': '13' };
const ask = (headers: Record<string, string | string[]>, path = '/ws', method = 'GET'): ReturnType<typeof call> =>
  call(pod, { path, method, headers: { ...bearer, ...headers } });

test.each([
  ['another path', '/api'],
  ['no path at all', '/'],
])('no entry of allow has upgrade for it: nothing leaves (%s)', async (_name, path) => {
  const { status, headers, body } = await ask(handshake, path);
  expect([status, headers['rekey-error'], authorizations]).toEqual([403, 'CallNotAllowed', []]);
  expect(body.toString()).toContain(path === '/api' ? 'no entry with upgrade: WebSocket for this path' : 'no such method and path');
});

test.each([
  ['without allow', (spec: CredentialSpec): CredentialSpec => ({ ...spec, allow: undefined }), 'no entry with upgrade: WebSocket'],
  ['with scrubResponses', (spec: CredentialSpec): CredentialSpec => ({ ...spec, scrubResponses: true }), 'scrubResponses cannot search'],
])('%s it is refused', async (_name, other, sentence) => {
  const { current } = pod.credential;
  pod.credential.current = current && other(current);
  const { status, body } = await ask(handshake);
  expect([status, authorizations]).toEqual([403, []]);
  expect(body.toString()).toContain(sentence);
});

const without = (field: string): Record<string, string> => Object.fromEntries(Object.entries(handshake).filter(([name]) => name !== field));
const badly: Record<string, [Record<string, string | string[]>, string?]> = {
  'another protocol': [{ ...handshake, upgrade: 'h2c' }],
  'another protocol beside it': [{ ...handshake, upgrade: 'websocket, h2c' }],
  'two of it': [{ ...handshake, upgrade: ['websocket', 'websocket'] }],
  'an Upgrade that Connection does not name': [{ ...handshake, connection: 'keep-alive' }],
  'no key': [without('sec-websocket-key')],
  'a key of another length': [{ ...handshake, 'sec-websocket-key': 'c2hvcnQ=' }],
  'another method': [handshake, 'POST'],
  'a body': [{ ...handshake, 'content-length': '4' }],
  'a body in chunks': [{ ...handshake, 'transfer-encoding': 'chunked' }],
};
test.each(Object.entries(badly))('a handshake that is none is refused: %s', async (_sentence, [headers, method]) => {
  const { status, headers: told } = await ask(headers, '/ws', method);
  expect([status, told['rekey-error'], authorizations]).toEqual([400, 'RequestInvalid', []]);
});

test("the upstream's own refusal passes, and the connection goes on", async () => {
  upgrade = (_request, socket) => {
    socket.end(
      'HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n',
    );
  };
  const { status, headers } = await ask({ ...handshake, 'sec-websocket-version': '8' });
  expect([status, headers['sec-websocket-version']]).toEqual([426, '13']);
});

test('a refused credential is fetched anew, and the handshake sent once more', async () => {
  pod.credential.newest = '8';
  upgrade = (request, socket, head) => {
    if (request.headers.authorization === `Bearer ${pod.credential.value('8')}`) echo(request, socket, head);
    else socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  };
  const client = await open();
  expect(authorizations).toEqual(['7', '8'].map((version) => `Bearer ${pod.credential.value(version)}`));
  expect((await echoed(client, 'x')).toString()).toBe('x');
  client.terminate();
});

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
test.each([
  ['the accept of another key', `${switching}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n`],
  ['no accept', `${switching}\r\n`],
  ['a length', `${switching}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nContent-Length: 3\r\n\r\n`],
  [
    'another protocol',
    'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
  ],
])('a 101 with %s begins nothing', async (_name, answer) => {
  upgrade = (_request, socket) => void socket.end(`${answer}sent behind it`);
  const { status, headers, body } = await ask(handshake);
  expect([status, headers['rekey-error']]).toEqual([502, 'UpstreamReset']);
  expect(body.toString()).not.toContain('behind');
});

test('what comes with the handshake and with its answer is of the WebSocket', async () => {
  let got = '';
  upgrade = (_request, socket, head) => {
    got += head.toString();
    socket.on('data', (bytes: Buffer) => (got += bytes.toString()));
    socket.write(`${switching}Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\n\r\nsent with the answer`);
  };
  const socket = await all.connect('hosts');
  const fields = Object.entries({ host: pod.host, ...bearer, ...handshake }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /ws HTTP/1.1\r\n${fields.join('')}\r\nGET / HTTP/1.1\r\n\r\n`);
  let said = '';
  socket.on('data', (bytes: Buffer) => (said += bytes.toString()));
  await until(() => said.includes('sent with the answer') && got.includes('\r\n\r\n'));
  expect(said).toBe(
    `HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nsent with the answer`,
  );
  expect(got).toBe('GET / HTTP/1.1\r\n\r\n');
  socket.destroy();
});

test('a sidecar that stops lets it be until the time is over', async () => {
  const client = await open();
  const closed = once(client, 'close');
  const stopped = pod.sidecar.stop(2000);
  expect((await echoed(client, 'still here')).toString()).toBe('still here');
  expect((await closed)[0]).toBe(1006);
  await stopped;
});
