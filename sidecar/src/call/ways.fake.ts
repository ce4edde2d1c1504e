// A pod whose credential `github` is reached in all three ways, and a client's connection in each.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { FakePod, PodOptions } from '../pod.fake.ts';
import { startPod } from '../pod.fake.ts';

const name = 'api.github.test';

export interface PodOnAllWays {
  pod: FakePod;
  /** Ready for HTTP to the upstream. */
  connect: (way: Way) => Promise<Duplex>;
  /** What the client calls the upstream. */
  authority: (way: Way) => string;
}

export async function startOnAllWays({ github, ...options }: PodOptions): Promise<PodOnAllWays> {
  const ports = { proxy: await freePort(), baseUrl: await freePort() };
  let upstream = 0;
  const pod = await startPod({
    ...options,
    github: (port) => {
      upstream = port;
      return {
        via: [{ hosts: {} }, { proxy: { others: 'Refuse' } }, { baseUrl: { env: [{ name: 'API_URL', path: '' }] } }],
        ...github?.(port),
      };
    },
    entrances: {
      proxy: { port: ports.proxy, others: 'Refuse' },
      get baseUrls() {
        return [{ port: ports.baseUrl, upstream: { name, port: upstream } }];
      },
    },
  });
  const secured = async (over: tls.ConnectionOptions): Promise<Duplex> => {
    const socket = tls.connect({ ...over, servername: name, ca: readFileSync(join(pod.folder, 'ca.crt')) });
    await once(socket, 'secureConnect');
    return socket;
  };
  const connects: Record<Way, () => Promise<Duplex>> = {
    hosts: () => secured({ host: '127.0.0.1', port: pod.port }),
    proxy: async () => {
      const socket = net.connect(ports.proxy, '127.0.0.1');
      socket.write(`CONNECT ${pod.host} HTTP/1.1\r\nHost: ${pod.host}\r\n\r\n`);
      await once(socket, 'data');
      return secured({ socket });
    },
    baseUrl: async () => {
      const socket = net.connect(ports.baseUrl, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    },
  };
  return { pod, connect: (way) => connects[way](), authority: (way) => (way === 'baseUrl' ? `127.0.0.1:${ports.baseUrl}` : pod.host) };
}
