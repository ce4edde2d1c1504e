import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, otherHost, placeholder, startPod } from '../pod.fake.ts';

let pod: FakePod;
let reached = 0;
let ca: Buffer;
beforeAll(async () => {
  pod = await startPod();
  ca = readFileSync(join(pod.folder, 'ca.crt'));
});
afterAll(() => pod.stop());
beforeEach(() => {
  reached = 0;
  pod.handler = (_request, response) => {
    reached += 1;
    response.end('upstream');
  };
});

const name = 'api.github.test';

/** Writes these bytes over TLS and reads until the sidecar ends the connection. */
async function raw(bytes: string, options: tls.ConnectionOptions = {}): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: name, ca, ...options });
  socket.write(bytes, 'latin1');
  return text(socket);
}

const get = (target: string, ...lines: string[]): string => `${[`GET ${target} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`;
const host = (): string => `Host: ${pod.host}`;
const authorization = `Authorization: Bearer ${placeholder}`;

interface Refused {
  bytes: () => string;
  status: number;
  reason: string;
}

const refused: Record<string, Refused> = {
  'another Host than in the handshake': {
    bytes: () => get('/', `Host: ${otherHost}:${pod.port}`),
    status: 421,
    reason: 'HostNotConfigured',
  },
  'an unknown Host': { bytes: () => get('/', 'Host: evil.test'), status: 421, reason: 'HostNotConfigured' },
  'the Host with another port': { bytes: () => get('/', `Host: ${name}:1`), status: 421, reason: 'HostNotConfigured' },
  'the Host with a trailing dot': { bytes: () => get('/', `Host: ${name}.`), status: 421, reason: 'HostNotConfigured' },
  'the Host with a user': { bytes: () => get('/', `Host: x@${name}`), status: 421, reason: 'HostNotConfigured' },
  'no Host': { bytes: () => get('/'), status: 400, reason: 'RequestInvalid' },
  'an empty Host': { bytes: () => get('/', 'Host: '), status: 421, reason: 'HostNotConfigured' },
  'two Hosts': { bytes: () => get('/', host(), `Host: evil.test`), status: 400, reason: 'RequestInvalid' },
  'the same Host twice': { bytes: () => get('/', host(), host()), status: 400, reason: 'RequestInvalid' },
  'an absolute target of another host': { bytes: () => get('https://evil.test/', host()), status: 421, reason: 'HostNotConfigured' },
  'an absolute target with a user': { bytes: () => get(`https://a@${name}/`, host()), status: 421, reason: 'HostNotConfigured' },
  'an absolute target without TLS': { bytes: () => get(`http://${name}/`, host()), status: 400, reason: 'RequestInvalid' },
  'a target with a fragment': { bytes: () => get('/a#b', host()), status: 400, reason: 'RequestInvalid' },
  'a target that is no path': { bytes: () => get('*', host()), status: 400, reason: 'RequestInvalid' },
  CONNECT: { bytes: () => `CONNECT ${name}:443 HTTP/1.1\r\n${host()}\r\n\r\n`, status: 405, reason: 'MethodNotSupported' },
  TRACE: { bytes: () => `TRACE / HTTP/1.1\r\n${host()}\r\n\r\n`, status: 405, reason: 'MethodNotSupported' },
  'an upgrade': { bytes: () => get('/', host(), 'Connection: Upgrade', 'Upgrade: websocket'), status: 400, reason: 'RequestInvalid' },
  'an upgrade to HTTP/2': { bytes: () => get('/', host(), 'Connection: Upgrade', 'Upgrade: h2c'), status: 400, reason: 'RequestInvalid' },
  'two lengths': { bytes: () => get('/', host(), 'Content-Length: 1', 'Content-Length: 2'), status: 400, reason: 'RequestInvalid' },
  'the same length twice': {
    bytes: () => get('/', host(), 'Content-Length: 1', 'Content-Length: 1'),
    status: 400,
    reason: 'RequestInvalid',
  },
  'a length and chunks': {
    bytes: () => get('/', host(), 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    status: 400,
    reason: 'RequestInvalid',
  },
  'another transfer coding': { bytes: () => get('/', host(), 'Transfer-Encoding: gzip, chunked'), status: 400, reason: 'RequestInvalid' },
  'chunked twice': {
    bytes: () => get('/', host(), 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    status: 400,
    reason: 'RequestInvalid',
  },
  'chunked last but one': { bytes: () => get('/', host(), 'Transfer-Encoding: chunked, identity'), status: 400, reason: 'RequestInvalid' },
  'a space before the colon': { bytes: () => get('/', host(), 'X-A : 1'), status: 400, reason: 'RequestInvalid' },
  'a folded line': { bytes: () => get('/', host(), 'X-A: 1', ' 2'), status: 400, reason: 'RequestInvalid' },
  'a bare line feed': { bytes: () => `GET / HTTP/1.1\n${host()}\n\n`, status: 400, reason: 'RequestInvalid' },
  'a NUL in a field': { bytes: () => get('/', host(), 'X-A: 1\x002'), status: 400, reason: 'RequestInvalid' },
  'a space in the target': { bytes: () => get('/a b', host()), status: 400, reason: 'RequestInvalid' },
  'another protocol': { bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', status: 400, reason: 'RequestInvalid' },
  'a head that is too large': { bytes: () => get('/', host(), `X-A: ${'a'.repeat(40_000)}`), status: 431, reason: 'RequestInvalid' },
};

test.each(Object.entries(refused))('%s is refused with a reason, and nothing leaves', async (_name, { bytes, status, reason }) => {
  const answer = await raw(bytes().replace('\r\n\r\n', `\r\n${authorization}\r\n\r\n`));
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head.startsWith(`HTTP/1.1 ${status} `)).toBe(true);
  expect(head.toLowerCase()).toContain(`\r\nrekey-error: ${reason.toLowerCase()}`);
  expect(head.toLowerCase()).toContain('\r\ncache-control: no-store');
  expect(head.toLowerCase()).toContain('\r\nconnection: close');
  expect(JSON.parse(body)).toEqual({ error: reason, message: expect.any(String) as string });
  expect(reached).toBe(0);
  expect(pod.credential.grants).toBe(0);
});

test.each(['/', '/a?b', ''])('the absolute form of the own host is as good as the path: %s', async (rest) => {
  let target: string | undefined;
  pod.handler = (request, response) => {
    target = request.url;
    response.end();
  };
  await raw(get(`https://${pod.host}${rest}`, host(), 'Connection: close'));
  expect(target).toBe(rest === '' ? '/' : rest);
});

test.each([() => name, () => name.toUpperCase(), () => `${name}:${pod.port}`])(
  'the Host may leave out the port and be in upper case',
  async (given) => {
    const answer = await raw(get('/', `Host: ${given()}`, 'Connection: close'));
    expect(answer).toContain('upstream');
    expect(reached).toBe(1);
  },
);

test('a handshake for an unknown name, or for none, fails', async () => {
  await expect(raw(get('/', host()), { servername: 'evil.test', rejectUnauthorized: false })).rejects.toThrow('handshake failure');
  await expect(raw(get('/', host()), { servername: '', rejectUnauthorized: false })).rejects.toThrow('handshake failure');
  expect(reached).toBe(0);
});

test('nothing older than TLS 1.2', async () => {
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await expect(raw(get('/', host()), old)).rejects.toThrow('protocol version');
});

test('the door is open on loopback alone', async () => {
  const socket = net.connect({ host: '127.0.0.3', port: pod.port });
  await expect(text(socket)).rejects.toThrow('ECONNREFUSED');
});

test('a host that the live spec no longer names is refused from the next call on', async () => {
  const { current } = pod.credential;
  if (current === undefined) throw new Error('no spec');
  expect((await call(pod, { headers: bearer })).status).toBe(200);
  pod.credential.current = { ...current, hosts: ['elsewhere.test'] };
  expect((await call(pod, { headers: bearer })).headers['rekey-error']).toBe('HostNotConfigured');
  pod.credential.current = current;
  expect((await call(pod, { headers: bearer })).status).toBe(200);
});

test('calls of a deleted credential get a reason', async () => {
  const { current } = pod.credential;
  pod.credential.current = undefined;
  const answer = await call(pod, { headers: bearer });
  pod.credential.current = current;
  expect(answer.status).toBe(503);
  expect(answer.headers).toMatchObject({ 'rekey-error': 'CredentialDeleted', 'retry-after': '5' });
  expect(reached).toBe(0);
});

test.each(['Suspended', 'SourceUnreachable', 'SourceDenied'] as const)('without a value nothing leaves: %s', async (reason) => {
  pod.credential.failing = reason;
  const answer = await call(pod, { headers: bearer });
  pod.credential.failing = undefined;
  expect(answer.status).toBe(503);
  expect(answer.headers['rekey-error']).toBe(reason);
  expect(reached).toBe(0);
});

test('garbage after a call in flight ends the connection instead of cutting into the answer', async () => {
  pod.handler = (_request, response) => {
    response.write('first');
    setTimeout(() => response.end('last'), 50);
  };
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: name, ca });
  socket.write(get('/', host()));
  let seen = '';
  await new Promise<void>((resolve) => {
    socket.on('error', () => {});
    socket.on('close', resolve);
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes('first')) socket.write('garbage\r\n\r\n');
    });
  });
  expect(seen).not.toContain('rekey-error');
});
