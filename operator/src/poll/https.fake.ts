import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createAuthority, createServing } from '../certificate-authority.ts';

/** What to answer: text as it is, anything else as JSON. `hang up` ends the connection without an answer, `silence` lets it wait. */
export type Answer = { status: number; body?: unknown; headers?: Record<string, string> } | 'hang up' | 'silence';

export interface FakeSource<Asked> {
  address: string;
  /** What its certificate verifies with. */
  ca: string;
  asked: Asked[];
  close: () => Promise<void>;
}

/** A real HTTPS server on loopback in the place of a source, for the faults that a real one cannot be asked to have. */
export async function startFakeSource<Asked>(
  read: (request: IncomingMessage, body: string) => Asked,
  answer: (asked: Asked) => Answer,
): Promise<FakeSource<Asked>> {
  const authority = await createAuthority(new Date());
  const { cert, key } = await createServing(authority, ['localhost'], new Date());
  const asked: Asked[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const handle = async (): Promise<void> => {
      const one = read(request, await text(request));
      asked.push(one);
      give(answer(one), request, response);
    };
    handle().catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { address: `https://localhost:${(server.address() as AddressInfo).port}`, ca: authority.cert, asked, close };
}

function give(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (answer === 'silence') return;
  if (answer === 'hang up') return void request.socket.destroy();
  const { status, headers, body } = answer;
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(typeof body === 'string' ? body : JSON.stringify(body));
}
