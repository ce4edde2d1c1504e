import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that kernels give to outgoing connections (IANA: from 49152, Linux: from 32768) and to NodePorts. */
const range = [20_000, 30_000] as const;

/**
 * A port of loopback for a server that is yet to start. The kernel's own choice (port 0) would be one of those that it also gives to outgoing
 * connections: a test with thousands of them takes it before the server does.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(...range);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
      .once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
