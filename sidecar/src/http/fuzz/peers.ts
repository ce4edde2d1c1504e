import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';

/** Another implementation of HTTP/1.1. */
export interface Peer {
  name: string;
  /** The targets of the requests that it sees in these bytes of one connection. */
  seen(bytes: Buffer): Promise<string[]>;
  stop(): void;
}

/** A peer that still waits has seen a request whose end it has not. */
const patience = 400;

/** Writes the bytes, and reads until the peer ends the connection or has nothing to say. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket: Socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(patience, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

const seenIn = (text: string): string[] => [...text.matchAll(/\r\nX-Seen: ([^\r]*)\r\n/gu)].map(([, target = '']) => target);

/** llhttp, as node:http has it. */
export async function llhttp(): Promise<Peer> {
  const server = http.createServer((request, response) => {
    request.on('error', () => {}).resume();
    request.on('end', () => response.writeHead(204, { 'X-Seen': request.url ?? '' }).end());
  });
  server.keepAliveTimeout = 0;
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { name: 'llhttp', seen: async (bytes) => seenIn(await exchange(port, bytes)), stop };
}

/** Debian's nginx. */
export async function nginx(): Promise<Peer> {
  const folder = mkdtempSync(join(tmpdir(), 'rekey-fuzz-'));
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log /dev/null; events {}
     http { access_log off; ${temporary} keepalive_requests 100000; server { listen 127.0.0.1:${port}; add_header X-Seen $request_uri; return 204; } }`,
  );
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`nginx ended with code ${code}`)));
  });
  failed.catch(() => {});
  const seen = async (bytes: Buffer): Promise<string[]> => seenIn(await exchange(port, bytes));
  const up = async (): Promise<void> => {
    while ((await seen(Buffer.from('GET /up HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n'))).length === 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await Promise.race([up(), failed]);
  const stop = (): void => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  return { name: 'nginx', seen, stop };
}
