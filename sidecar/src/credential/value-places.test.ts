import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import tls from 'node:tls';
import { randomOf, requestOf } from '../http/fuzz/generate.ts';
import type { FakeCredential, FakePod } from '../pod.fake.ts';
import { call, otherHost, placeholder, startPod } from '../pod.fake.ts';

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
beforeEach(() => {
  requests = [];
});

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

const marks = [placeholder, 'rekey-placeholder-notion'];
const picking =
  (random: () => number) =>
  <T>(list: readonly T[]): T =>
    list[Math.floor(random() * list.length)] as T;

/** A generated request to one of the hosts, with the placeholder of one of the credentials in its fields, target or body. */
function requestWith(random: () => number, id: number): string {
  const pick = picking(random);
  const host = pick([pod.host, pod.host, `${otherHost}:${pod.port}`]);
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
  // What waits for more of a request says nothing: from the end of the handshake on, which takes its time on a busy machine.
  socket.once('secureConnect', () => socket.setTimeout(250, () => socket.destroy()));
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

/** Lines in which the two credentials of one host meet: each has a header of its own. */
const meetings = (github: string, notion: string): string[] => [
  `Authorization: Bearer ${github}\r\nX-Api-Key: ${notion}`,
  `X-Api-Key: ${notion}\r\nAuthorization: Bearer ${github}`,
  `X-Api-Key: ${notion}`,
  `Authorization: Bearer ${github}`,
  `Authorization: Bearer ${notion}\r\nX-Api-Key: ${github}`,
  `X-Api-Key: ${notion}\r\nX_Api_Key: ${notion}\r\nx-api-key: mine`,
  `X-Api-Key: Bearer ${notion}`,
  `X-Api-Key: ${notion}, ${notion}\r\nAuthorization: Bearer ${github}`,
  `Connection: X-Api-Key\r\nX-Api-Key: ${notion}`,
];

test('two credentials of one host: in 1,000 generated requests each value is in its own header, once, and nowhere else', async () => {
  const [github, notion] = pod.credentials as [FakeCredential, FakeCredential];
  const { current } = notion;
  if (current !== undefined) notion.current = { ...current, hosts: [pod.host], inject: [{ header: { name: 'X-Api-Key' } }] };
  const random = randomOf(23);
  const pick = picking(random);
  const answers: string[] = [];
  for (let id = 0; id < 1000; id += 25) {
    const some = Array.from({ length: 25 }, (_, index) =>
      requestOf(random, id + index)
        .replaceAll('peer', pod.host)
        .replace(/\/n(\d+)/u, (target) => (random() < 0.3 ? `${target}?key=${pick(marks)}` : target))
        .replace('X-A: 1', `X-A: ${pick(marks)}`)
        .replace('\r\n', () => `\r\n${pick(meetings(placeholder, 'rekey-placeholder-notion'))}\r\n`)
        .replace('body', () => (random() < 0.5 ? pick(marks).slice(0, 4) : 'body')),
    );
    answers.push(...(await Promise.all(some.map((bytes) => exchange(bytes, 'api.github.test')))));
  }
  notion.current = current;
  const [first, second] = [github.value('7'), notion.value('7')];
  const carried = [0, 0, 0];
  for (const { head, body } of requests) {
    const own = [head.includes(`"Authorization","Bearer ${first}"`) ? 1 : 0, head.includes(`"X-Api-Key","${second}"`) ? 1 : 0];
    const sum = (own[0] ?? 0) + (own[1] ?? 0);
    carried[sum] = (carried[sum] ?? 0) + 1;
    expect([count(head, first), count(head, second), count(body, first), count(body, second)]).toEqual([...own, 0, 0]);
  }
  for (const many of carried) expect(many).toBeGreaterThan(40);
  const told = [...answers, pod.written].join('\n');
  expect(count(told, first) + count(told, second)).toBe(0);
});

/** A JSON text with placeholders in names and values all over, and the same with the value in the field a.b alone. */
function documentWith(random: () => number, value: string): { text: string; mended: string } {
  const pick = picking(random);
  const blank = (): string => pick(['', '', ' ', '\n\t']);
  const text = (): string => JSON.stringify(pick([placeholder, 'x', `${placeholder} `, 'ü"\\', 'a', 'b', 'a.b']));
  const other = (depth: number): string => {
    const kind = depth > 3 ? 0 : random();
    if (kind < 0.5) return pick([text(), text(), '-1.5e3', 'true', 'null']);
    const parts = Array.from({ length: Math.floor(random() * 4) }, () => other(depth + 1));
    if (kind < 0.7) return `[${parts.join(`${blank()},${blank()}`)}]`;
    return `{${parts.map((part, index) => `${blank()}"${pick(['a', 'b', placeholder])}${index}"${blank()}:${part}`).join(',')}}`;
  };
  const around = (inner: string): string => {
    const [before, after] = [other(1), other(1)];
    return `${blank()}{"x"${blank()}:${before},"a":${blank()}{${blank()}"c":${other(2)},"b":${inner}${blank()}}${blank()},"y":${after}}`;
  };
  const frame = around('\u0000');
  return { text: frame.replace('\u0000', `"${placeholder}"`), mended: frame.replace('\u0000', () => JSON.stringify(value)) };
}

test('500 generated JSON bodies with placeholders all over: the value is in its own field, and every other byte is the same', async () => {
  const [github] = pod.credentials as [FakeCredential];
  const { current } = github;
  if (current !== undefined) github.current = { ...current, inject: [{ jsonField: { path: 'a.b' } }] };
  const random = randomOf(31);
  const documents = Array.from({ length: 500 }, () => documentWith(random, github.value('7')));
  for (const { text } of documents) {
    const body = Buffer.from(text);
    const framing = random() < 0.5 ? { 'content-length': body.length } : { 'transfer-encoding': 'chunked' };
    await call(pod, { method: 'POST', path: `/${placeholder}`, headers: { 'content-type': 'application/json', ...framing } }, body);
  }
  github.current = current;
  expect(requests.map(({ body }) => Buffer.from(body, 'latin1').toString())).toEqual(documents.map(({ mended }) => mended));
  expect(requests.every(({ head }) => count(head, github.value('7')) === 0)).toBe(true);
});
