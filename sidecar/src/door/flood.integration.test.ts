import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import tls from 'node:tls';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import type { FakePod } from '../pod.fake.ts';
import { startPod } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

const many = 100_000;
const pipelined = 5000;
const atOnce = 32;

let pod: FakePod;
let basePort: number;

beforeAll(async () => {
  basePort = await freePort();
  const entrances = { baseUrls: [{ port: basePort, upstream: { name: 'api.github.test', port: 443 } }] };
  // All that is told would be half a million objects here.
  pod = await startPod({ entrances, auditWrite: (bytes, done) => done(null, bytes.length) });
  pod.handler = (_request, response) => void response.end();
});
afterAll(() => pod.stop());

async function series(): Promise<string[]> {
  const lines = (await scrape(pod)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
}

/** So many paths, on one connection. How many were answered by the upstream. */
async function paths(from: number, count: number): Promise<number> {
  const ca = readFileSync(join(pod.folder, 'ca.crt'));
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: 'api.github.test', ca });
  const requests = Array.from({ length: count }, (_, index) => {
    const end = index === count - 1 ? 'Connection: close\r\n' : '';
    return `GET /p${from + index}/${index}?q=${from + index} HTTP/1.1\r\nHost: ${pod.host}\r\nX-${from + index}: ${index}\r\n${end}\r\n`;
  });
  socket.write(requests.join(''));
  return (await buffer(socket)).toString('latin1').split('HTTP/1.1 200').length - 1;
}

/** A host that nobody knows, on a connection of its own, since that ends it. */
async function host(index: number): Promise<boolean> {
  const socket = net.connect({ host: '127.0.0.1', port: basePort });
  socket.write(`GET /${index} HTTP/1.1\r\nHost: h${index}.example.com\r\n\r\n`);
  return (await text(socket)).includes('HTTP/1.1 421');
}

test('100,000 paths and 100,000 hosts leave the series of the metrics what they were', async () => {
  await paths(0, 2);
  await host(0);
  const before = await series();
  let [answered, refused, next] = [0, 0, 0];
  for (let from = 0; from < many; from += pipelined) answered += await paths(from, pipelined);
  const one = async (): Promise<void> => {
    for (let index = next++; index < many; index = next++) if (await host(index)) refused += 1;
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  expect([answered, refused]).toEqual([many, many]);
  expect(await series()).toEqual(before);
}, 300_000);
