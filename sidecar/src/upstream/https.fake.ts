import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, LookupFunction, Socket } from 'node:net';

/** A real HTTPS server on loopback, under a name that only `lookup` knows. */
export interface FakeServer {
  port: number;
  /** What its certificate verifies with. */
  ca: string;
  lookup: LookupFunction;
  /** Connections so far. */
  connections(): number;
  close(): Promise<void>;
}

export type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void | Promise<void>;

/** By name: making one takes a moment, and a test file starts many servers. */
const issued = new Map<string, ReturnType<typeof issueNow>>();

/** `stranger`: under an authority that no other server has. */
export async function fakeServer(name: string, answer: Answer, stranger = false): Promise<FakeServer> {
  const delivery = stranger ? issueNow(name) : (issued.get(name) ?? issueNow(name));
  if (!stranger) issued.set(name, delivery);
  const { ca, leaf } = await delivery;
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = https.createServer({ key: leaf.key, cert: leaf.certificate }, (request, response) => {
    void serve(request, response, answer);
  });
  server.on('secureConnection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    ca: ca.certificate,
    lookup: loopback(name),
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

async function issueNow(name: string) {
  // Not by issue.ts: its worker takes a second. One after the other: a CommonJS import would run before the polyfill that it needs.
  await import('../tls/reflect.ts');
  const { issue } = await import('../tls/certificate.ts');
  return issue({ hosts: [name], now: Date.now() });
}

async function serve(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  let body = '';
  request.on('error', () => undefined);
  for await (const chunk of request) body += String(chunk);
  await answer(request, response, body);
}

export function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function loopback(known: string): LookupFunction {
  return (name, options, callback) => {
    if (name !== known) callback(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), []);
    else if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  };
}
