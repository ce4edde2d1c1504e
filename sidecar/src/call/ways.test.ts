import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import type { FakePod } from '../pod.fake.ts';
import { placeholder, startPod } from '../pod.fake.ts';

const name = 'api.github.test';
const authorization = `Bearer ${placeholder}`;
let pod: FakePod;
let way: number;
let seen: IncomingMessage['headers'][];
let other: http.Server;
let otherPort: number;

async function start(via: NonNullable<CredentialSpec['via']>, hosts?: (port: number) => string[]): Promise<void> {
  way = await freePort();
  const github = (port: number): Partial<CredentialSpec> => ({ via, ...(hosts === undefined ? {} : { hosts: hosts(port) }) });
  const refuses = via.some(({ proxy }) => proxy?.others === 'Refuse');
  const isProxy = via.some(({ proxy }) => proxy !== undefined);
  const baseUrls = (port: number) => (isProxy ? [] : [{ port: way, upstream: { name, port } }]);
  let upstreamPort = 0;
  pod = await startPod({
    github: (port) => {
      upstreamPort = port;
      return github(port);
    },
    entrances: {
      proxy: isProxy ? { port: way, others: refuses ? 'Refuse' : 'Tunnel' } : undefined,
      get baseUrls() {
        return baseUrls(upstreamPort);
      },
    },
  });
  seen = [];
  pod.handler = (request, response) => {
    seen.push(request.headers);
    response.end(`upstream ${request.url}`);
  };
}

beforeAll(async () => {
  other = http.createServer((request, response) => response.end(`in clear ${request.url} ${request.headers.connection}`));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.2', resolve));
  otherPort = (other.address() as AddressInfo).port;
});
afterAll(() => {
  other.closeAllConnections();
  other.close();
});
afterEach(() => pod.stop());

/** Writes these bytes to the way in, and reads until it ends the connection. */
async function raw(bytes: string): Promise<string> {
  const socket = net.connect(way, '127.0.0.1');
  socket.write(bytes, 'latin1');
  return text(socket);
}

/** A CONNECT, and what stands behind it when it is let. */
async function tunnelTo(authority: string): Promise<{ status: string; socket: net.Socket }> {
  const socket = net.connect(way, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  const head = await new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())));
  return { status: head.slice(0, head.indexOf('\r\n')), socket };
}

const ca = (): Buffer => readFileSync(join(pod.folder, 'ca.crt'));

/** One call over TLS through a CONNECT. */
async function callThrough(authority: string, servername: string, host = servername): Promise<string> {
  const { status, socket } = await tunnelTo(authority);
  if (!status.includes(' 200 ')) return status;
  const secured = tls.connect({ socket, servername, ca: ca(), ALPNProtocols: ['http/1.1'] });
  secured.write(`GET /user HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`);
  return text(secured);
}

describe('the proxy', () => {
  const proxy = (others: 'Tunnel' | 'Refuse' = 'Tunnel'): NonNullable<CredentialSpec['via']> => [{ proxy: { others } }];

  test('a CONNECT to a host with a credential: the call gets the value, on verified TLS to the upstream', async () => {
    await start(proxy());
    const answer = await callThrough(`${name}:${pod.port}`, name, pod.host);
    expect(answer).toContain('upstream /user');
    expect(seen).toEqual([expect.objectContaining({ authorization: `Bearer ${pod.credential.value('7')}`, host: pod.host })]);
  });

  test('a wildcard stands for each name one label below, and no other', async () => {
    await start(proxy(), (port) => [`*.github.test:${port}`]);
    expect(await callThrough(`${name}:${pod.port}`, name, pod.host)).toContain('upstream /user');
    expect(seen[0]?.authorization).toBe(`Bearer ${pod.credential.value('7')}`);
    await pod.stop();
    await start(proxy('Refuse'), (port) => [`*.github.test:${port}`]);
    expect(await callThrough(`a.b.github.test:${pod.port}`, 'a.b.github.test')).toContain(' 403 ');
    expect(await callThrough(`github.test:${pod.port}`, 'github.test')).toContain(' 403 ');
    expect(seen).toEqual([]);
  });

  test.each([
    ['another name in the handshake', () => [`${name}:${pod.port}`, 'api.notion.test', pod.host]],
    ['another Host', () => [`${name}:${pod.port}`, name, 'evil.test']],
  ])('%s than in the CONNECT: nothing leaves', async (_name, parts) => {
    await start(proxy());
    const [authority = '', servername = '', host] = parts();
    const answer = await callThrough(authority, servername, host).catch((error: Error) => error.message);
    expect(answer).not.toContain('upstream');
    expect(seen).toEqual([]);
  });

  test('an absolute https target is as good as a CONNECT, and the connection ends with it', async () => {
    await start(proxy());
    const answer = await raw(`GET https://${pod.host}/user HTTP/1.1\r\nHost: ${pod.host}\r\nAuthorization: ${authorization}\r\n\r\n`);
    expect(answer).toContain('upstream /user');
    expect(answer.toLowerCase()).toContain('\r\nconnection: close');
    expect(seen[0]?.authorization).toBe(`Bearer ${pod.credential.value('7')}`);
  });

  test('an absolute target of another host than the Host is refused', async () => {
    await start(proxy());
    const answer = await raw(`GET https://${pod.host}/user HTTP/1.1\r\nHost: evil.test\r\nAuthorization: ${authorization}\r\n\r\n`);
    expect(answer).toContain(' 421 ');
    expect(seen).toEqual([]);
  });

  test('a call in clear to a host with a credential is refused', async () => {
    await start(proxy());
    const answer = await raw(`GET http://${pod.host}/user HTTP/1.1\r\nHost: ${pod.host}\r\nAuthorization: ${authorization}\r\n\r\n`);
    expect(answer).toContain(' 403 ');
    expect(answer.toLowerCase()).toContain('rekey-error: callinclear');
    expect(seen).toEqual([]);
  });

  test('other hosts are tunnelled, and called in clear, without a value', async () => {
    await start(proxy());
    const { status, socket } = await tunnelTo(`other.test:${otherPort}`);
    expect(status).toContain(' 200 ');
    socket.write('GET /through HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toContain('in clear /through');
    const answer = await raw(
      `GET http://other.test:${otherPort}/plain?a=b HTTP/1.1\r\nHost: other.test\r\nProxy-Connection: keep-alive\r\n\r\n`,
    );
    expect(answer).toContain('in clear /plain?a=b close');
  });

  test('with Refuse other hosts are refused, with the reason', async () => {
    await start(proxy('Refuse'));
    const answers = [
      await raw(`CONNECT other.test:${otherPort} HTTP/1.1\r\nHost: other.test\r\n\r\n`),
      await raw(`GET http://other.test:${otherPort}/ HTTP/1.1\r\nHost: other.test\r\n\r\n`),
    ];
    for (const answer of answers) {
      expect(answer).toContain(' 403 ');
      expect(answer.toLowerCase()).toContain('rekey-error: hostrefused');
    }
  });

  test.each(['127.0.0.1:80', '169.254.169.254:80', '[::1]:80', '0.0.0.0:80'])('%s is no upstream', async (authority) => {
    await start(proxy());
    expect(await raw(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`)).toContain('UpstreamAddressForbidden');
  });

  test.each([
    'GET /user HTTP/1.1\r\nHost: x\r\n\r\n',
    'CONNECT no-port HTTP/1.1\r\nHost: x\r\n\r\n',
    'CONNECT user@evil.test:443 HTTP/1.1\r\nHost: x\r\n\r\n',
    'CONNECT evil.test:99999 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET ftp://evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n',
    'nonsense\r\n\r\n',
  ])('%j is refused', async (bytes) => {
    await start(proxy());
    expect(await raw(bytes)).toContain(' 400 ');
  });
});

describe('a base URL', () => {
  const baseUrl: NonNullable<CredentialSpec['via']> = [{ baseUrl: { env: [{ name: 'API_URL', path: '' }] } }];

  test('the call comes in clear on loopback, and goes out with the value on verified TLS', async () => {
    await start(baseUrl);
    const answer = await raw(
      `GET /user HTTP/1.1\r\nHost: 127.0.0.1:${way}\r\nAuthorization: ${authorization}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toContain('upstream /user');
    expect(seen).toEqual([expect.objectContaining({ authorization: `Bearer ${pod.credential.value('7')}`, host: pod.host })]);
  });

  test('a Host that is neither the base URL nor the upstream is refused', async () => {
    await start(baseUrl);
    expect(await raw(`GET /user HTTP/1.1\r\nHost: evil.test\r\nAuthorization: ${authorization}\r\n\r\n`)).toContain(' 421 ');
    expect(seen).toEqual([]);
  });

  test('what goes by a base URL does not go by the hosts file too', async () => {
    await start(baseUrl);
    const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: name, ca: ca() });
    await expect(text(socket)).rejects.toThrow('handshake failure');
  });
});
