import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading } from '../decide/input.ts';
import { pause } from './pause.ts';
import { until } from '@rekey/lib/process.real.ts';
import { quotaOf, Quotas } from './quota.ts';
import { Polls } from './schedule.ts';
import { storeAt } from './vault.fake.ts';

const provider = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c';
const gcp = (name: string, project: string): Store => ({
  metadata: { name },
  spec: storeSpec.parse({ gcpSecretManager: { project, workloadIdentityProvider: provider } }),
});
const secret = (name: string, project?: string): { gcpSecretManager: { secret: string; project?: string } } => ({
  gcpSecretManager: { secret: name, ...(project === undefined ? {} : { project }) },
});
const fine: Reading = { versions: { current: '1', states: {} } };

test('all secrets of a project share one quota, whatever store they go through, and all of a vault its own; logins have none', () => {
  const shared = { name: 'projects/a', questionsPerMinute: 150 };
  expect(quotaOf(gcp('one', 'a'), secret('x'))).toEqual(shared);
  expect(quotaOf(gcp('two', 'b'), secret('x', 'a'))).toEqual(shared);
  expect(quotaOf(gcp('two', 'b'), secret('x'))?.name).toBe('projects/b');
  expect(quotaOf(gcp('one', 'a'), undefined)).toBeUndefined();
  const vault = storeAt('https://vault.example', '');
  expect(quotaOf(vault, { vault: { path: 'x', key: 'y' } })).toEqual({ name: 'https://vault.example', questionsPerMinute: 3000 });
  expect(quotaOf(vault, undefined)).toBeUndefined();
});

test.each([
  [1, 1, 60],
  [150, 1, 60],
  [300, 1, 120],
  [1500, 1, 600],
  [150, 4, 240],
])('%d secrets of a project that is %d times slower are asked about every %d seconds', (questions, slowness, seconds) => {
  const shared = { questions, perMinute: 150, slowness };
  expect(pause({ store: gcp('one', 'a'), source: secret('x'), reading: fine, failures: 0, shared }, () => 0.5)).toBe(seconds * 1000);
});

test.each([
  [250, 1, 5],
  [1000, 1, 20],
  [250, 8, 40],
])('%d secrets of a vault that is %d times slower are asked about every %d seconds', (questions, slowness, seconds) => {
  const store = storeAt('https://vault.example', '');
  const source = { vault: { path: 'x', key: 'y' } };
  const spec = { ...store.spec, pollIntervalSeconds: 5 };
  const shared = { questions, perMinute: 3000, slowness };
  expect(pause({ store: { ...store, spec }, source, reading: fine, failures: 0, shared }, () => 0.5)).toBe(seconds * 1000);
});

test('a vault gets its questions one after the other, fifty a second and no more', () => {
  const quotas = new Quotas();
  const quota = { name: 'https://vault.example', questionsPerMinute: 3000 };
  const times = Array.from({ length: 200 }, () => quotas.take(quota, 0));
  expect(times.filter((at) => at < 1000)).toHaveLength(50);
});

test('a cloud is asked once a minute at most, whatever its store says', () => {
  expect(pause({ store: gcp('one', 'a'), source: secret('x'), reading: fine, failures: 0 }, () => 0.5)).toBe(60_000);
});

test('a project that was throttled is asked half as often, down to an eighth, and twice as often after each success', () => {
  const quotas = new Quotas();
  const quota = { name: 'projects/a', questionsPerMinute: 150 };
  const slow = [true, true, true, true, false, false, false, false].map((throttled) => {
    quotas.answered(quota, throttled);
    return quotas.slowness(quota);
  });
  expect(slow).toEqual([2, 4, 8, 8, 4, 2, 1, 1]);
  expect(quotas.slowness({ ...quota, name: 'projects/b' })).toBe(1);
});

test('the polls of one project wait longer together when one of them was throttled', async () => {
  const waits: number[] = [];
  const polls = new Polls({
    open: () => ({
      versions: () => Promise.reject(new Failure('SourceThrottled')),
      check: () => Promise.resolve(),
      close: () => undefined,
    }),
    onChange: () => undefined,
    onPoll: () => undefined,
    onPause: (milliseconds) => waits.push(milliseconds),
    now: Date.now,
    random: () => 0.5,
  });
  polls.follow('ns/a', { store: gcp('one', 'a'), source: secret('x') });
  await until(() => polls.reading('ns/a'));
  polls.follow('ns/b', { store: gcp('two', 'a'), source: secret('y') });
  await until(() => polls.reading('ns/b'));
  polls.stop();
  expect(waits).toEqual([120_000, 240_000]);
});

/** The most of these times that lie in one minute. */
function busiestMinute(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 60_000).length));
}

test.each([
  [false, 150],
  [true, 75],
])('no minute has more questions than are allowed, however many secrets a project has (throttled: %s)', (throttled, most) => {
  const quotas = new Quotas();
  const quota = { name: 'projects/a', questionsPerMinute: 150 };
  quotas.answered(quota, throttled);
  const times = Array.from({ length: 1000 }, () => quotas.take(quota, 0));
  expect(busiestMinute(times)).toBe(most);
  expect(times[0]).toBe(0);
  expect(times.every((at, index) => index === 0 || at >= (times[index - 1] ?? 0) + 100)).toBe(true);
  expect(quotas.take({ ...quota, name: 'projects/b' }, 0)).toBe(0);
  expect(quotas.take(quota, 3_600_000)).toBe(0);
});

test('a project whose minute is full is not asked, however often one asks for it; others are', async () => {
  const quotas = new Quotas();
  const quota = { name: 'projects/a', questionsPerMinute: 150 };
  for (let question = 0; question < 150; question += 1) quotas.take(quota, question);
  const asked: string[] = [];
  const polls = new Polls({
    open: ({ metadata }) => ({
      versions: () => {
        asked.push(metadata.name);
        return Promise.resolve({ current: '1', states: {} });
      },
      check: () => Promise.resolve(),
      close: () => undefined,
    }),
    onChange: () => undefined,
    onPoll: () => undefined,
    quotas,
    now: () => 0,
    random: () => 0.5,
  });
  polls.follow('ns/full', { store: gcp('full', 'a'), source: secret('x') });
  polls.follow('ns/free', { store: gcp('free', 'b'), source: secret('x') });
  await until(() => polls.reading('ns/free'));
  polls.now('ns/full');
  polls.follow('ns/later', { store: gcp('later', 'c'), source: secret('x') });
  await until(() => polls.reading('ns/later'));
  polls.stop();
  expect(asked).toEqual(['free', 'later']);
});
