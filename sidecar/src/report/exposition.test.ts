import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod } from '../pod.fake.ts';
import { scrape } from './metric.fixture.ts';

let pod: FakePod;
beforeAll(async () => {
  pod = await startPod();
});
afterAll(() => pod.stop());

const series = (text: string): string[] =>
  text.split('\n').flatMap((line) => (line === '' || line.startsWith('#') ? [] : [line.slice(0, line.lastIndexOf(' '))]));
const metrics = (text: string): { name: string; type: string; help: string }[] =>
  [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gmu)].map(([, name = '', help = '', type = '']) => ({ name, help, type }));

const connect = (servername: string): tls.TLSSocket =>
  tls.connect({ host: '127.0.0.1', port: pod.port, servername, ca: readFileSync(join(pod.folder, 'ca.crt')), rejectUnauthorized: false });

/** So many requests in one write, and the bytes that come back. */
async function flood(host: (index: number) => string, count: number): Promise<string> {
  const socket = connect('api.github.test');
  const requests = Array.from({ length: count }, (_, index) => {
    const end = index === count - 1 ? 'Connection: close\r\n' : '';
    return `GET /${host(index)}/${index}?q=${index} HTTP/1.1\r\nHost: ${host(index)}\r\nX-${index}: ${index}\r\n${end}\r\n`;
  });
  socket.write(requests.join(''));
  return (await buffer(socket)).toString('latin1');
}

test('however many paths, names of fields and hosts are called, the series stay the same', async () => {
  pod.handler = (_request, response) => void response.end();
  const wrongHost = (index: number): Promise<string> => flood(() => `h${index}.example.com`, 1);
  await flood(() => pod.host, 2);
  await wrongHost(0);
  const before = series(await scrape(pod));
  expect((await flood(() => pod.host, 5000)).match(/HTTP\/1.1 200/gu)).toHaveLength(5000);
  for (let index = 1; index < 100; index += 1) expect(await wrongHost(index)).toContain('HostNotConfigured');
  expect(series(await scrape(pod))).toEqual(before);
});

test('names, units and helps are by the conventions of Prometheus', async () => {
  await call(pod, { headers: bearer });
  const all = metrics(await scrape(pod));
  expect(all.length).toBeGreaterThan(10);
  for (const { name, type, help } of all) {
    expect(name).toMatch(/^(rekey|process)_[a-z]+(_[a-z]+)*$/u);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    expect(name).not.toMatch(/(milliseconds|minutes|kilobytes|megabytes|percent|_count|_sum|_bucket)(_|$)|counter|gauge|histogram/u);
    expect(help).toMatch(/^[A-Z].*\.$/u);
  }
});

test('the page of metrics has each of them, with its type and its words, and no other', async () => {
  await call(pod, { headers: bearer });
  const page = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \| [^|]* \| (.*) \|$/gmu)].map(([, name, type, help]) => ({ name, type, help }));
  const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }): number => (a.name ?? '').localeCompare(b.name ?? '');
  expect(rows.toSorted(byName)).toEqual(
    metrics(await scrape(pod))
      .map(({ name, type, help }) => ({ name, type, help }))
      .toSorted(byName),
  );
});
