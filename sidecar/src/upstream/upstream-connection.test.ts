import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { setImmediate as turnEnds } from 'node:timers/promises';
import { Turn } from '../turn.ts';
import type { Exchange } from './upstream-connection.ts';
import { UpstreamConnection } from './upstream-connection.ts';

const head = 'POST /v1 HTTP/1.1\r\nHost: api.github.test\r\nContent-Length: 4\r\n\r\n';

/** A connection among others, so that what it writes leaves at the end of the turn. Its socket closes some turns after its end, as a real one does. */
function among(): {
  connection: UpstreamConnection;
  socket: Duplex;
  written: string[];
  lost: Promise<boolean>;
  answers: number[];
  exchange: Exchange;
} {
  const turn = new Turn();
  for (let n = 0; n < 2; n += 1) turn.begin();
  const written: string[] = [];
  const write = (bytes: Buffer): void => void written.push(bytes.toString('latin1'));
  const socket = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => done((write(bytes), null)),
    writev: (chunks, done) => done((write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer))), null)),
    destroy: (error, done) => void setTimeout(() => done(error), 10),
  });
  const answers: number[] = [];
  const { promise: lost, resolve } = Promise.withResolvers<boolean>();
  const exchange: Exchange = {
    informed: () => {},
    switches: () => false,
    answered: ({ status }) => void answers.push(status),
    more: () => {},
    drained: () => {},
    lost: (_error, untaken) => resolve(untaken),
  };
  const home = { idle: () => {}, closed: () => {} };
  return { connection: new UpstreamConnection(socket as unknown as TLSSocket, home, turn), socket, written, lost, answers, exchange };
}

test('a head and what has come of its body leave in one piece, at the end of the turn', async () => {
  const { connection, written, exchange } = among();
  connection.begin(exchange, 'POST', head);
  connection.write(Buffer.from('ab'));
  connection.write(Buffer.from('cd'));
  connection.send();
  expect(written).toEqual([]);
  await turnEnds();
  expect(written).toEqual([`${head}abcd`]);
});

test('of a request whose connection ends in the turn in which it begins, nothing has left, and that is told', async () => {
  const { connection, socket, written, lost, exchange } = among();
  connection.begin(exchange, 'POST', head);
  connection.send();
  socket.destroy();
  expect(await lost).toBe(true);
  expect(written).toEqual([]);
});

test('of one that was written it cannot be told', async () => {
  const { connection, socket, written, lost, exchange } = among();
  connection.begin(exchange, 'POST', head);
  connection.send();
  await turnEnds();
  socket.destroy();
  expect(await lost).toBe(false);
  expect(written).toEqual([head]);
});

test("an answer to a request that has not left is nobody's: the connection ends, and the request can go elsewhere", async () => {
  const { connection, written, lost, answers, exchange } = among();
  connection.begin(exchange, 'POST', head);
  connection.send();
  connection.read(Buffer.from('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'));
  expect(await lost).toBe(true);
  expect(answers).toEqual([]);
  expect(written).toEqual([]);
});
