import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';
import { host } from '../namespace.ts';
import { crowd } from './client.ts';

// A process of its own, so that what it does to itself is not taken for what it does to the calls of others. Does what it reads from
// its parent, one word after the other, and says each word back once it is done.

const idle = 10_000;
const slow = 100;
const authorization = process.argv[2] ?? '';
const head = (line: string, ...fields: string[]): string =>
  [`${line} HTTP/1.1`, `Host: ${host}`, `Authorization: ${authorization}`, ...fields, '', ''].join('\r\n');

const acts: Readonly<Record<string, () => Promise<void>>> = {
  idle: () =>
    crowd(
      16,
      Array.from({ length: idle }, () => async () => void (await connect())),
    ),
  slow: async () => {
    const body = head('POST /echo', 'Content-Length: 1000000');
    for (let one = 0; one < slow; one += 1) drip(await connect(), head('GET /echo'), 0);
    for (let one = 0; one < slow; one += 1) drip(await connect(), body + 'x'.repeat(1_000_000), body.length);
  },
  bomb: () => {
    void unpack();
    return Promise.resolve();
  },
};

/** Resolves once there is a connection, or none was to be had. */
function connect(): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: 443, servername: host, rejectUnauthorized: false });
    socket.on('error', () => resolve(socket)).on('close', () => resolve(socket));
    socket.once('secureConnect', () => resolve(socket)).resume();
  });
}

/** A byte now and then, behind the first `at`. */
function drip(socket: Socket, text: string, at: number): void {
  socket.write(text.slice(0, at));
  let next = at;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(text.charAt(next));
    next += 1;
  }, 500);
}

/** Again and again, as fast as it comes. */
async function unpack(): Promise<void> {
  for (;;) {
    const socket = await connect();
    const ended = new Promise((resolve) => socket.once('close', resolve));
    socket.write(head('GET /bomb', 'Connection: close'));
    await ended;
    await pause(10);
  }
}

process.on('message', (word: string) => {
  void acts[word]?.().then(() => process.send?.(word));
});
process.on('disconnect', () => process.exit());
