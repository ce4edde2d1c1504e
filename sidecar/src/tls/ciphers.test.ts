import tls from 'node:tls';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { issue } from './issue.ts';
import { trustedBy } from './trust.ts';
import { startOnAllWays } from '../call/ways.fake.ts';

const host = 'api.github.test';

/** The suite that a client and a server agree on. */
function agreed(server: TlsOptions, client: ConnectionOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const listening = tls
      .createServer(server, (socket) => socket.on('error', () => {}))
      .listen(0, '127.0.0.1', () => {
        const { port } = listening.address() as { port: number };
        const socket = tls.connect({ host: '127.0.0.1', port, servername: host, ...client });
        socket.on('error', reject).on('secureConnect', () => {
          resolve(socket.getCipher().standardName);
          socket.destroy();
          listening.close();
        });
      });
  });
}

test.each(['hosts', 'proxy'] as const)('to clients that would rather have AES-256 the sidecar shows AES-128 (%s)', async (way) => {
  const { pod, connect } = await startOnAllWays({});
  const socket = (await connect(way)) as TLSSocket;
  expect(socket.getCipher().standardName).toBe('TLS_AES_128_GCM_SHA256');
  socket.destroy();
  await pod.stop();
});

test('to upstreams that leave it to the client the sidecar says AES-128', async () => {
  const { ca, leaf } = await issue({ hosts: [host], now: Date.now() });
  const server = { key: leaf.key, cert: leaf.certificate, honorCipherOrder: false };
  expect(await agreed(server, { secureContext: trustedBy(ca.certificate)() })).toBe('TLS_AES_128_GCM_SHA256');
});

test.each([
  ['TLS_AES_256_GCM_SHA384', { ciphers: 'TLS_AES_256_GCM_SHA384' }],
  ['TLS_CHACHA20_POLY1305_SHA256', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
  ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' as const }],
])('an upstream that has %s alone gets that', async (name, options) => {
  const { ca, leaf } = await issue({ hosts: [host], now: Date.now() });
  const server = { key: leaf.key, cert: leaf.certificate, ...options };
  expect(await agreed(server, { secureContext: trustedBy(ca.certificate)() })).toBe(name);
});
