import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { createAuthority, createServing } from './certificate-authority.ts';

/** One request as the API server got it. */
export interface Received {
  method: string;
  path: string;
  query: URLSearchParams;
  type: string | undefined;
  authorization: string | undefined;
  body: unknown;
}

export interface FakeApiServer {
  configuration: KubeConfig;
  received: Received[];
  connections: () => number;
  close: () => Promise<void>;
}

export type Handler = (received: Received) => { status: number; body: unknown };

/** A real HTTPS server on loopback that answers what the test says, and the kubeconfig for it. */
export async function startFakeApiServer(handler: Handler): Promise<FakeApiServer> {
  const authority = await createAuthority(new Date());
  const { cert, key } = await createServing(authority, ['localhost'], new Date());
  const received: Received[] = [];
  let connections = 0;
  const server = createServer({ cert, key }, (request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'https://localhost');
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const { authorization, 'content-type': type } = request.headers;
      const one = { method: request.method ?? '', path: url.pathname, query: url.searchParams, type, authorization, body };
      received.push(one);
      const answer = handler(one);
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
    });
  });
  server.on('secureConnection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    configuration: configurationFor((server.address() as AddressInfo).port, authority.cert),
    received,
    connections: () => connections,
    close,
  };
}

function configurationFor(port: number, ca: string): KubeConfig {
  const configuration = new KubeConfig();
  const cluster = { name: 'fake', server: `https://localhost:${port}`, caData: Buffer.from(ca).toString('base64'), skipTLSVerify: false };
  configuration.loadFromClusterAndUser(cluster, { name: 'operator', token: 'the-token' });
  return configuration;
}
