import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading } from '../decide/input.ts';
import { pause } from './pause.ts';
import { until } from './process.real.ts';
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

test('all secrets of a project share one quota, whatever store they go through; logins and vaults have none', () => {
  const shared = { name: 'projects/a', questionsPerMinute: 150 };
  expect(quotaOf(gcp('one', 'a'), secret('x'))).toEqual(shared);
  expect(quotaOf(gcp('two', 'b'), secret('x', 'a'))).toEqual(shared);
  expect(quotaOf(gcp('two', 'b'), secret('x'))?.name).toBe('projects/b');
  expect(quotaOf(gcp('one', 'a'), undefined)).toBeUndefined();
  expect(quotaOf(storeAt('https://vault.example', ''), { vault: { path: 'x', key: 'y' } })).toBeUndefined();
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
