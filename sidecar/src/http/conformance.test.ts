import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import type { FakePod } from '../pod.fake.ts';
import { placeholder, startPod } from '../pod.fake.ts';
import * as table from './conformance.table.ts';

let pod: FakePod;
let ca: Buffer;

interface Seen {
  method: string | undefined;
  target: string | undefined;
  fields: Record<string, string | string[] | undefined>;
  body: string;
}
let seen: Seen[];

beforeAll(async () => {
  pod = await startPod();
  ca = readFileSync(join(pod.folder, 'ca.crt'));
  pod.handler = (request, response) => {
    void buffer(request).then((body) => {
      seen.push({ method: request.method, target: request.url, fields: request.headers, body: body.toString('latin1') });
      response.end('answer');
    });
  };
});
afterAll(() => pod.stop());
beforeEach(() => {
  seen = [];
});

/** Behind each request in the same bytes: whoever sees another end of the first one sees another second one, or none. */
const next = (): string => `GET /next HTTP/1.1\r\nHost: ${pod.host}\r\nAuthorization: Bearer ${placeholder}\r\nConnection: close\r\n\r\n`;

/** Writes the bytes, and reads until the sidecar ends the connection. */
async function exchange(bytes: string): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: 'api.github.test', ca });
  socket.write(bytes, 'latin1');
  return (await buffer(socket)).toString('latin1');
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1\.1 ([2-5]\d\d) /gu)].map(([, status = '']) => status);

const parts: [string, table.Cases][] = Object.entries({
  'the request line': table.requestLines,
  'whom it is for': table.targets,
  'field lines': table.fieldLines,
  'where it ends': table.framing,
  chunks: table.chunks,
  'fields of the connection': table.fieldsOfTheConnection,
});

describe.each(parts)('RFC 9110 and 9112: %s', (_part, cases) => {
  const all = Object.entries(cases);
  const refused = all.flatMap(([name, [bytes, outcome]]) => (typeof outcome === 'number' ? [{ name, bytes, status: outcome }] : []));
  const passed = all.flatMap(([name, [bytes, outcome]]) => (typeof outcome === 'number' ? [] : [{ name, bytes, outcome }]));

  test.each(refused)('$name: refused with $status, the connection ends, and nothing leaves', async ({ bytes, status }) => {
    const grants = pod.credential.grants;
    const text = await exchange(bytes.replaceAll('AUTHORITY', pod.host) + next());
    expect(statuses(text)).toEqual([String(status)]);
    expect(text).toMatch(/^rekey-error: \w+\r$/mu);
    expect(text).toMatch(/^connection: close\r$/mu);
    expect(seen.map(({ target }) => target)).not.toContain('/next');
    // A body may turn out bad when its head is gone; then its request never ends.
    expect(seen).toEqual([]);
    expect(pod.credential.grants).toBe(grants);
  });

  test.each(passed)('$name: passes, and the next request begins where it ends', async ({ bytes, outcome }) => {
    const text = await exchange(bytes.replaceAll('AUTHORITY', pod.host) + next());
    expect(statuses(text)).toEqual(['200', '200']);
    expect(seen.map(({ target }) => target === '/next')).toEqual([false, true]);
    const { fields = {}, ...rest } = outcome;
    expect(seen[0]).toMatchObject(rest);
    for (const [name, value] of Object.entries(fields)) expect(seen[0]?.fields[name]).toBe(value?.replace('AUTHORITY', pod.host));
  });
});

test('there are enough of them', () => {
  const names = parts.flatMap(([, cases]) => Object.keys(cases));
  expect(names.length).toBeGreaterThanOrEqual(150);
  expect(names.every((name) => /^(?:9110|9112|9113|6585|8446|3986)-[0-9.]+ /u.test(name))).toBe(true);
});
