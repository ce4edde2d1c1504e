import { fuzz } from './fuzz.ts';
import { takenOf } from './ours.ts';
import type { Peer } from './peers.ts';
import { llhttp, nginx } from './peers.ts';

let peers: Peer[];
beforeAll(async () => {
  peers = [await llhttp(), await nginx()];
});
afterAll(() => {
  for (const peer of peers) peer.stop();
});

test('20,000 generated requests: llhttp and nginx see no other messages than the sidecar in those that it takes', async () => {
  const counts = await fuzz(20_000, 7, peers);
  expect(counts.disagreements).toEqual([]);
  expect(counts.generated).toBe(20_000);
  expect(counts.taken).toBeGreaterThan(4000);
  expect(counts.taken).toBeLessThan(16_000);
});

test('a peer that sees two messages in one is found', async () => {
  const lenient: Peer = { name: 'lenient', seen: () => Promise.resolve(['/n0', '/smuggled', '/sentinel']), stop: () => {} };
  expect((await fuzz(200, 7, [lenient])).disagreements.length).toBeGreaterThan(0);
});

test('what is cut off is where the sidecar sees the end', () => {
  const request = 'POST /a HTTP/1.1\r\nHost: peer\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n';
  expect(takenOf(Buffer.from(`${request}GET `))).toEqual({ target: '/a', bytes: Buffer.from(request) });
});
