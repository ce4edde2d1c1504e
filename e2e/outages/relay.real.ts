import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

/** Carries bytes between clients and a port of loopback. */
export interface Relay {
  port: number;
  /** How many connections of clients are open. */
  open: () => number;
  /** From now on the connections that are open carry nothing in either direction, and nobody is told: a network that drops packets. New ones work. */
  silence: () => void;
  close: () => Promise<void>;
}

interface Pair {
  client: Socket;
  server: Socket;
  silent: boolean;
}

export async function startRelay(to: number): Promise<Relay> {
  const pairs = new Set<Pair>();
  const listener = createServer((client) => {
    const pair: Pair = { client, server: connect(to, '127.0.0.1'), silent: false };
    pairs.add(pair);
    carry(pair, client, pair.server);
    carry(pair, pair.server, client);
    client.on('close', () => pairs.delete(pair));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    open: () => pairs.size,
    silence: () => {
      for (const pair of pairs) pair.silent = true;
    },
    close: async () => {
      for (const { client, server } of pairs) for (const socket of [client, server]) socket.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}

/** The client's end is always heard of: the connection is gone then, whatever became of its packets. */
function carry(pair: Pair, from: Socket, to: Socket): void {
  const isHeard = (): boolean => !pair.silent || from === pair.client;
  from.on('data', (chunk) => void (pair.silent || to.write(chunk)));
  from.on('end', () => void (isHeard() && to.end()));
  from.on('error', () => undefined);
  from.on('close', () => void (isHeard() && to.destroy()));
}
