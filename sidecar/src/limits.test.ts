import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { fakeClock, settle } from './clock.fake.ts';
import type { FakeClock } from './clock.fake.ts';
import { defaultLimits } from './limits.ts';
import type { FakePod } from './pod.fake.ts';
import { metric } from './report/metric.fixture.ts';
import { answerTo, bearer, call, startPod, until } from './pod.fake.ts';

let clock: FakeClock;
let pod: FakePod;
let reached: string[];

beforeEach(async () => {
  clock = fakeClock();
  pod = await startPod({ clock, limits: { connections: 4, calls: 2 } });
  reached = [];
  pod.handler = (request, response) => {
    reached.push(request.url ?? '');
    response.end('ok');
  };
});
afterEach(() => pod.stop());

/** A connection, and all that comes on it. */
async function connect(bytes = ''): Promise<{ socket: TLSSocket; said: Promise<string>; closed: () => boolean }> {
  const ca = readFileSync(join(pod.folder, 'ca.crt'));
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: 'api.github.test', ca });
  let closed = false;
  const said = text(socket).finally(() => (closed = true));
  said.catch(() => {});
  await once(socket, 'secureConnect');
  if (bytes !== '') await new Promise<void>((resolve) => void socket.write(bytes, () => resolve()));
  return { socket, said, closed: () => closed };
}

const limit = (name: string): Promise<number> => metric(pod, `rekey_limits_total{limit="${name}"}`);
const clients = (count: number): Promise<void> => until(async () => (await metric(pod, 'rekey_client_connections')) === count);

/** Lets what the client has written arrive, and the time pass. */
async function pass(milliseconds: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  await clock.pass(milliseconds);
  await settle();
}

const host = (): string => `Host: ${pod.host}\r\n`;

test('a head that does not come to its end is answered 408, and counted', async () => {
  const { said } = await connect(`GET / HTTP/1.1\r\n${host()}`);
  await pass(defaultLimits.headMilliseconds + 2000);
  expect(await said).toMatch(/^HTTP\/1\.1 408 [^]*rekey-error: RequestTimeout/u);
  expect(await limit('headMilliseconds')).toBe(1);
});

test('bytes one by one do not make a head live longer', async () => {
  const { socket, said } = await connect('GET / HTTP/1.1\r\n');
  for (let second = 0; second < 70 && socket.writable; second += 10) {
    socket.write('X');
    await pass(10_000);
  }
  expect(await said).toContain('408');
});

test.each([
  ['before the upstream has answered', false, ['408']],
  ['once the upstream has answered', true, ['200']],
])('a body whose rest does not come ends the call %s', async (_name, answers, statuses) => {
  let gone = false;
  pod.handler = (request, response) => {
    request.on('error', () => (gone = true)).resume();
    if (answers) response.write('first');
  };
  const { said } = await connect(`POST / HTTP/1.1\r\n${host()}Content-Length: 100\r\n\r\nsome`);
  await pass(1000);
  await pass(defaultLimits.bodyMilliseconds + 2000);
  const seen = [...(await said).matchAll(/HTTP\/1\.1 (\d+)/gu)].map(([, status]) => status);
  expect(seen).toEqual(statuses);
  await until(() => gone);
  expect(await limit('bodyMilliseconds')).toBe(1);
});

test('an upload that the upstream does not take is not the fault of the client', async () => {
  pod.handler = (request, response) => {
    request.pause();
    setTimeout(() => request.resume().on('end', () => response.end('all')), 300);
  };
  const length = 20_000_000;
  const { socket, said } = await connect(`POST / HTTP/1.1\r\n${host()}Content-Length: ${length}\r\nConnection: close\r\n\r\n`);
  socket.write(Buffer.alloc(length));
  await pass(100);
  await clock.pass(defaultLimits.bodyMilliseconds * 3);
  expect(await said).toContain('all');
  expect(await limit('bodyMilliseconds')).toBe(0);
});

test('a connection without requests is ended without a word', async () => {
  const { said } = await connect();
  await pass(defaultLimits.idleMilliseconds + 2000);
  expect(await said).toBe('');
});

test('an answer may be silent for an hour', async () => {
  const silent = Promise.withResolvers<void>();
  pod.handler = (_request, response) => {
    response.write('first ');
    void silent.promise.then(() => response.end('last'));
  };
  const { said, closed } = await connect(`GET / HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
  await pass(3_600_000);
  expect(closed()).toBe(false);
  silent.resolve();
  expect(await said).toContain('last');
});

test('a new connection beyond the limit takes the place of the one that is idle for longest', async () => {
  const first = await connect();
  const others = [await connect(), await connect(), await connect()];
  await clients(4);
  const fifth = await connect(`GET /fifth HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
  expect(await fifth.said).toContain('ok');
  await until(() => first.closed());
  expect(others.map(({ closed }) => closed())).toEqual([false, false, false]);
  expect(await limit('connections')).toBe(1);
  for (const { socket } of others) socket.destroy();
});

test('of the connections without a call as many stay as may, and calls have room beside them', async () => {
  const limited = await startPod({ clock, limits: { idle: 2 } });
  await pod.stop();
  pod = limited;
  const { calls } = await startCalls(2);
  const idle = [await connect(), await connect(), await connect()];
  await until(() => idle[0]?.closed() === true);
  expect([...calls, ...idle.slice(1)].map(({ closed }) => closed())).toEqual([false, false, false, false]);
  expect(await limit('idle')).toBe(1);
  for (const { socket } of [...calls, ...idle]) socket.destroy();
});

test('a flood of connections that ask for nothing takes none from a client that will use its own again', async () => {
  const limited = await startPod({ clock, limits: { idle: 28, connections: 100 } });
  await pod.stop();
  pod = limited;
  const kept = await startKept(10);
  for (let count = 1; count <= 40; count += 1) connect().catch(() => {});
  await until(async () => (await limit('idle')) === 22);
  expect(await again(kept)).toEqual(kept.map(() => 2));
});

test.each(['sockets that say nothing', 'sockets to the proxy that say nothing', 'refused sockets that do not hang up'])(
  'a flood of %s takes none either',
  async (what) => {
    const proxy = { port: await freePort(), others: 'Refuse' } as const;
    const limited = await startPod({
      clock,
      limits: { connections: 40 },
      entrances: { proxy },
    });
    await pod.stop();
    pod = limited;
    const kept = await startKept(6);
    const port = what === 'sockets that say nothing' ? pod.port : proxy.port;
    const says = what.startsWith('refused') ? 'CONNECT other.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n' : '';
    const flood = Array.from({ length: 60 }, () => net.connect({ host: '127.0.0.1', port, allowHalfOpen: true }).on('error', () => {}));
    for (const socket of flood) socket.write(says);
    await until(async () => (await limit('connections')) === 26);
    expect(await again(kept)).toEqual(kept.map(() => 2));
    for (const socket of flood) socket.destroy();
  },
);

test('answers that end in one moment arrive whole, although their connections are too many without a call then', async () => {
  const limited = await startPod({ clock, limits: { idle: 1, connections: 40, calls: 40 } });
  await pod.stop();
  pod = limited;
  const count = 30;
  const responses: ServerResponse[] = [];
  pod.handler = (_request, response) => {
    response.writeHead(200, { 'content-length': 40_004 }).write('begin'.padEnd(20_000, '.'));
    responses.push(response);
  };
  const calls: Awaited<ReturnType<typeof connect>>[] = [];
  for (let index = 0; index < count; index += 1) {
    calls.push(await connect(`GET /${index} HTTP/1.1\r\n${host()}\r\n`));
    // Until then it is one of those that may give way.
    await until(() => responses.length === index + 1);
  }
  for (const response of responses) response.write('-'.repeat(10_000));
  await new Promise((resolve) => setImmediate(resolve));
  for (const response of responses) response.end('last'.padStart(10_004, '-'));
  await until(async () => (await limit('idle')) >= count - 1);
  // Which one stays depends on the order in which the upstream's bytes were read.
  await until(() => calls.filter(({ closed }) => closed()).length === count - 1);
  const gone = calls.filter(({ closed }) => closed());
  for (const { socket } of calls) socket.destroy();
  for (const { said } of gone) expect((await said).endsWith('last')).toBe(true);
});

test('a call under way never gives way', async () => {
  const { calls } = await startCalls(2);
  const idle = [await connect(), await connect()];
  const late = await connect(`GET /late HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
  await late.said;
  await until(() => idle.some(({ closed }) => closed()));
  expect(calls.every(({ closed }) => !closed())).toBe(true);
  for (const { socket } of [...calls, ...idle]) socket.destroy();
});

/** So many connections that have carried a call. */
async function startKept(count: number): Promise<Awaited<ReturnType<typeof connect>>[]> {
  pod.handler = (_request, response) => response.end('ok');
  const kept = [];
  for (let index = 0; index < count; index += 1) {
    const connection = await connect(`GET /first HTTP/1.1\r\n${host()}\r\n`);
    await once(connection.socket, 'data');
    kept.push(connection);
  }
  return kept;
}

/** Uses them once more: how many answers each has had. */
async function again(kept: Awaited<ReturnType<typeof startKept>>): Promise<number[]> {
  for (const { socket } of kept) socket.write(`GET /next HTTP/1.1\r\n${host()}Connection: close\r\n\r\n`);
  return Promise.all(kept.map(async ({ said }) => (await said).split('HTTP/1.1 200').length - 1));
}

/** So many calls that get no answer. */
async function startCalls(count: number): Promise<{ calls: Awaited<ReturnType<typeof connect>>[] }> {
  pod.handler = (request) => void reached.push(request.url ?? '');
  const calls = [];
  for (let index = 0; index < count; index += 1) calls.push(await connect(`GET /${index} HTTP/1.1\r\n${host()}\r\n`));
  await until(() => reached.length === count);
  return { calls };
}

test('a call too many of one credential is answered 503, and leaves no trace at the upstream', async () => {
  const { calls } = await startCalls(2);
  const { status, headers } = await call(pod, { headers: bearer });
  expect([status, headers['rekey-error'], headers['retry-after']]).toEqual([503, 'CallLimitReached', '5']);
  expect(reached).toHaveLength(2);
  expect(await limit('calls')).toBe(1);
  for (const { socket } of calls) socket.destroy();
  await until(async () => (await metric(pod, 'rekey_calls_active{credential="github"}')) === 0);
  pod.handler = (_request, response) => void response.end();
  expect((await answerTo(pod.request({ headers: bearer }).end())).statusCode).toBe(200);
});

test('a head that is too large is counted', async () => {
  const { said } = await connect(`GET / HTTP/1.1\r\n${host()}X-A: ${'a'.repeat(defaultLimits.headBytes)}`);
  expect(await said).toContain('431');
  expect(await limit('headBytes')).toBe(1);
});

test('the page of limits has each of them as it is', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gmu)].map(([, name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(rows)).toEqual(defaultLimits);
});
