import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that kernels give to outgoing connections (IANA: from 49152, Linux: from 32768) and to NodePorts. */
const first = 20_000;
/** Each worker of Jest has so many to itself, and what is not a test the first of these: two workers that ask at the same time get different ones. */
const each = 1000;
const workers = 10;
const ofWorker = first + (Number(process.env.JEST_WORKER_ID ?? 0) % workers) * each;
let next = randomInt(each);

/**
 * A port of loopback for a server that is yet to start. The kernel's own choice (port 0) would be one of those that it also gives to outgoing
 * connections: a test with thousands of them takes it before the server does. None is given twice in a row: an API server listens a second
 * after it was told where, and until then its port looks free.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ofWorker + (next++ % each);
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
