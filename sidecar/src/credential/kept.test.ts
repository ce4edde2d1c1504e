import { randomBytes } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';

/** So many bodies of this size are more than all calls together may keep. */
const uploads = 24;
const body = randomBytes(200_000);

let pod: FakePod;
let received = 0;
let held: ClientRequest[];

beforeEach(async () => {
  pod = await startPod();
  pod.credential.newest = '8';
  received = 0;
  pod.handler = (request, response) => {
    if (request.url === '/lasting') request.on('data', ({ length }: Buffer) => (received += length));
    else
      void buffer(request).then((bytes) =>
        response.writeHead(request.headers.authorization?.includes('-8-') === true ? 200 : 401).end(bytes),
      );
  };
  held = Array.from({ length: uploads }, () => {
    const headers = { ...bearer, 'content-length': 2 * body.length };
    const request = pod.request({ method: 'POST', path: '/lasting', headers }).on('error', () => {});
    request.write(body);
    return request;
  });
  await until(() => received === uploads * body.length);
});
afterEach(async () => {
  for (const request of held) request.destroy();
  await pod.stop();
});

test('uploads that last keep no other call from being replayed', async () => {
  const answer = await call(pod, { method: 'POST', headers: bearer }, body);
  expect([answer.status, answer.body.equals(body)]).toEqual([200, true]);
});

test('the next ones are replayed too: what a call has kept is free again', async () => {
  const statuses: number[] = [];
  for (let calls = 0; calls < 2 * uploads; calls += 1) {
    pod.credential.held = '7';
    statuses.push((await call(pod, { method: 'POST', headers: bearer }, body)).status);
  }
  expect(statuses).toEqual(Array(2 * uploads).fill(200));
});
