import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { randomOf, requestOf } from './http/fuzz/generate.ts';
import type { FakePod } from './pod.fake.ts';
import { otherHost, placeholder, startPod } from './pod.fake.ts';

// Whatever bytes a client sends, the value is only in requests to its own host and only at its own place. The upstream looks at all of
// every request that reaches it.
let pod: FakePod;
let ca: Buffer;
let requests: { host: string; head: string; body: string }[] = [];

beforeAll(async () => {
  pod = await startPod();
  ca = readFileSync(join(pod.folder, 'ca.crt'));
  pod.handler = (request, response) => {
    let body = '';
    request.on('error', () => {});
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      const { rawHeaders, rawTrailers, method, url, headers } = request;
      requests.push({ host: headers.host ?? '', head: JSON.stringify([method, url, ...rawHeaders, ...rawTrailers]), body });
      response.end();
    });
  };
});
afterAll(() => pod.stop());

/** Where a client, or a model that was talked into it, may put a placeholder. */
const places = (mark: string): string[] => [
  ...Array<string>(6).fill(`Authorization: Bearer ${mark}`),
  `authorization:bearer ${mark} `,
  `Authorization: Bearer ${mark}, Bearer ${mark}`,
  `Authorization: Basic ${mark}`,
  `Authorization : Bearer ${mark}`,
  `Authorization: Bearer\r\n ${mark}`,
  `X-Authorization: Bearer ${mark}`,
  `Cookie: a=${mark}`,
  `Connection: Authorization\r\nAuthorization: Bearer ${mark}`,
  `X-A: ${mark}\r\nAuthorization: Bearer ${mark}\r\nAuthorization: Bearer mine`,
];

/** A generated request to one of the hosts, with the placeholder of one of the credentials in its fields, target or body. */
function requestWith(random: () => number, id: number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const host = pick([pod.host, pod.host, `${otherHost}:${pod.port}`]);
  const marks = [placeholder, 'rekey-placeholder-notion'];
  const mark = random() < 0.2 ? pick(marks) : (marks[host === pod.host ? 0 : 1] ?? '');
  return requestOf(random, id)
    .replaceAll('peer', host)
    .replace(/\/n(\d+)/u, (target) => (random() < 0.3 ? `${target}?key=${mark}` : target))
    .replace('X-A: 1', `X-A: ${mark}`)
    .replace('\r\n', () => (random() < 0.7 ? `\r\n${pick(places(mark))}\r\n` : '\r\n'))
    .replace('body', () => (random() < 0.5 ? mark.slice(0, 4) : 'body'));
}

function exchange(bytes: string, servername: string): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername, ca });
  socket.setTimeout(100, () => socket.destroy());
  socket.write(bytes, 'latin1');
  return text(socket).catch(() => '');
}

const forms = (value: string): string[] => [value, encodeURIComponent(value), Buffer.from(value).toString('base64')];

/** How often a text holds a value in any of its forms. */
const count = (held: string, value: string): number => forms(value).reduce((sum, form) => sum + held.split(form).length - 1, 0);

test('1,000 generated requests: the value is in requests to its own host, once, in its own header', async () => {
  const random = randomOf(11);
  const answers: string[] = [];
  for (let id = 0; id < 1000; id += 25) {
    const some = Array.from({ length: 25 }, (_, index) => requestWith(random, id + index));
    const other = (bytes: string): boolean => bytes.includes(otherHost) !== random() < 0.1;
    const names = some.map((bytes) => (other(bytes) ? otherHost : 'api.github.test'));
    answers.push(...(await Promise.all(some.map((bytes, index) => exchange(bytes, names[index] ?? '')))));
  }
  const owners = new Map(pod.credentials.map((credential) => [credential.current?.hosts[0] ?? '', credential.value('7')]));
  let carried = 0;
  for (const { host, head, body } of requests) {
    for (const [owner, value] of owners) {
      const own = head.includes(`"Bearer ${value}"`) && owner === host ? 1 : 0;
      carried += own;
      expect([owner, host, count(head, value), count(body, value)]).toEqual([owner, host, own, 0]);
    }
  }
  expect(carried).toBeGreaterThan(60);
  expect(requests.length - carried).toBeGreaterThan(60);
  const told = [...answers, pod.written].join('\n');
  for (const value of owners.values()) expect(count(told, value)).toBe(0);
});
