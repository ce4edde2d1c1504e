import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Outlet } from './outlet.ts';
import { Turn } from '../turn.ts';

const kilobyte = 1024;

/** A client that takes each write a moment later, as the kernel does. TLS has copied a write when it returns; in clear its bytes are read later. */
function client(encrypts: boolean) {
  const taken: Buffer[] = [];
  const socket = new Writable({
    highWaterMark: 1,
    write: (chunk: Buffer, _encoding, done) => {
      if (encrypts) taken.push(Buffer.from(chunk));
      setImmediate(() => {
        if (!encrypts) taken.push(Buffer.from(chunk));
        done();
      });
    },
  });
  if (encrypts) Object.setPrototypeOf(socket, Object.create(TLSSocket.prototype, Object.getOwnPropertyDescriptors(Writable.prototype)));
  return { socket: socket as unknown as Socket, taken };
}

async function empty(outlet: Outlet): Promise<void> {
  while (!outlet.isEmpty) await new Promise((resolve) => setImmediate(resolve));
}

const sizes = [
  0,
  1,
  900,
  8 * kilobyte - 1,
  8 * kilobyte,
  8 * kilobyte + 1,
  16 * kilobyte,
  64 * kilobyte,
  64 * kilobyte + 1,
  200 * kilobyte,
];

test.each([true, false])('whatever its pieces, an answer arrives byte by byte (TLS: %s)', async (encrypts) => {
  const { socket, taken } = client(encrypts);
  expect(socket instanceof TLSSocket).toBe(encrypts);
  const turn = new Turn();
  for (let n = 0; n < 2; n += 1) turn.begin(); // writes wait for the end of the turn
  const outlet = new Outlet(socket, turn, () => {});
  const written: Buffer[] = [];
  let random = 7;
  for (let n = 0; n < 400; n += 1) {
    random = (random * 48_271) % 2_147_483_647;
    const piece = randomBytes(sizes[random % sizes.length] ?? 0);
    written.push(Buffer.from(piece));
    outlet.write(piece);
    piece.fill(0); // good for the moment only
    if (random % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (random % 4 === 0) await empty(outlet);
  }
  await empty(outlet);
  await new Promise((resolve) => setImmediate(resolve));
  expect(Buffer.concat(taken).equals(Buffer.concat(written))).toBe(true);
});
