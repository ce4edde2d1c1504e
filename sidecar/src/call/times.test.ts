import { setTimeout as pause } from 'node:timers/promises';
import type { FakePod } from '../pod.fake.ts';
import { answerTo, bearer, call, startPod, until } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

/** Longer than anything else here takes, and shorter than anybody wants to wait. */
const longMilliseconds = 300;

let pod: FakePod;
beforeEach(async () => {
  pod = await startPod();
});
afterEach(() => pod.stop());

const github = (name: string): string => `${name}{credential="github"}`;

function read(text: string, series: string): number {
  const line = text.split('\n').find((line) => line.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

/** What a call's three times add up to, in seconds. */
async function sums(): Promise<{ whole: number; upstream: number; added: number }> {
  const text = await scrape(pod);
  const sum = (part: string): number => read(text, github(`rekey_call${part}_seconds_sum`));
  return { whole: sum(''), upstream: sum('_upstream'), added: sum('_added') };
}

test('the time until the answer is what the upstream took and what the sidecar took, of all calls', async () => {
  pod.credential.newest = '8';
  pod.handler = ({ headers }, response) => void response.writeHead(headers.authorization?.includes('-8-') === true ? 200 : 401).end();
  for (let calls = 0; calls < 5; calls += 1) await call(pod, { headers: bearer });
  const { whole, upstream, added } = await sums();
  expect(upstream).toBeGreaterThan(0);
  expect(added).toBeGreaterThan(0);
  expect(whole).toBeCloseTo(upstream + added, 9);
  expect(read(await scrape(pod), github('rekey_call_upstream_seconds_count'))).toBe(5);
});

test('a slow upstream is not the time of the sidecar', async () => {
  pod.handler = (_request, response) => void setTimeout(() => response.end('late'), longMilliseconds);
  await call(pod, { headers: bearer });
  const { upstream, added } = await sums();
  expect(upstream).toBeGreaterThanOrEqual((longMilliseconds - 1) / 1000);
  expect(added).toBeLessThan(upstream);
});

test('a slow source is not the time of the upstream', async () => {
  const { credential } = pod;
  const grant = credential.grant.bind(credential);
  credential.grant = async () => {
    await pause(longMilliseconds);
    return grant();
  };
  await call(pod, { headers: bearer });
  const { upstream, added } = await sums();
  expect(added).toBeGreaterThanOrEqual((longMilliseconds - 1) / 1000);
  expect(upstream).toBeLessThan(added);
});

test('a source that is asked after a refusal is not the time of the upstream', async () => {
  const { credential } = pod;
  const grant = credential.grantAfterRefusal.bind(credential);
  credential.grantAfterRefusal = async (version) => {
    await pause(longMilliseconds);
    return grant(version);
  };
  pod.handler = (_request, response) => void response.writeHead(401).end();
  await call(pod, { headers: bearer });
  const { upstream, added } = await sums();
  expect(added).toBeGreaterThanOrEqual((longMilliseconds - 1) / 1000);
  expect(upstream).toBeLessThan(added);
});

test('a call that its client gave up waited for the upstream until then', async () => {
  pod.handler = () => {};
  const request = pod.request({ headers: bearer });
  request.on('error', () => {}).end();
  await until(async () => read(await scrape(pod), github('rekey_calls_active')) === 1);
  await pause(longMilliseconds);
  request.destroy();
  await until(async () => read(await scrape(pod), 'rekey_calls_total{credential="github",code="aborted"}') === 1);
  expect((await sums()).upstream).toBeGreaterThanOrEqual((longMilliseconds - 1) / 1000);
});

test('a call that never reached an upstream is none of its times', async () => {
  pod.credential.failing = 'SourceSealed';
  await call(pod, { headers: bearer });
  const text = await scrape(pod);
  expect(read(text, github('rekey_call_seconds_count'))).toBe(1);
  expect(read(text, github('rekey_call_upstream_seconds_count'))).toBe(0);
});

test('a streamed answer counts until it begins', async () => {
  pod.handler = (_request, response) => void response.write('first');
  const answer = await answerTo(pod.request({ headers: bearer }).end());
  expect(read(await scrape(pod), github('rekey_call_seconds_count'))).toBe(1);
  answer.destroy();
});

test('reads of the source, their time, and the age of what they brought', async () => {
  pod.sourceRead('ok', 0.02);
  pod.sourceRead('SourceDenied', 0.3);
  const text = await scrape(pod);
  expect(read(text, 'rekey_source_reads_total{credential="github",outcome="ok"}')).toBe(1);
  expect(read(text, 'rekey_source_reads_total{credential="github",outcome="SourceDenied"}')).toBe(1);
  expect(read(text, 'rekey_source_read_seconds_bucket{le="0.025",credential="github"}')).toBe(1);
  expect(read(text, 'rekey_source_read_seconds_bucket{le="0.5",credential="github"}')).toBe(2);
  expect(read(text, github('rekey_source_read_seconds_sum'))).toBeCloseTo(0.32);
  expect(read(text, github('rekey_cache_age_seconds'))).toBe(12);
});

test('answers that refuse the credential are counted, also those that a replay makes good', async () => {
  pod.handler = ({ headers }, response) => void response.writeHead(headers.authorization?.includes('-8-') === true ? 200 : 401).end();
  pod.credential.newest = '8';
  await call(pod, { headers: bearer });
  pod.handler = (_request, response) => void response.writeHead(401).end();
  await call(pod, { headers: bearer });
  expect(read(await scrape(pod), github('rekey_refusals_total'))).toBe(2);
});
