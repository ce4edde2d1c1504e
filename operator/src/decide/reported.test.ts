import type { Use } from '@rekey/crds/binding.ts';
import { reportedVersions } from './reported.ts';

const at = (minute: number): string => `2026-11-22T12:0${minute}:00.000Z`;
const use = (change: Partial<Use>): Use => ({ name: 'github', source: 'here', since: at(0), ...change });
const v1 = (more: Partial<Use> = {}): Use => use({ version: 'v1', createdAt: at(1), ...more });
const v2 = (more: Partial<Use> = {}): Use => use({ version: 'v2', createdAt: at(2), ...more });
const newest = (...uses: Use[]): string | undefined => reportedVersions(uses, 'here')?.versions?.current;

const rows: [string, Use[], string | undefined][] = [
  ['nobody has reported', [], undefined],
  ['all pods read the same', [v1(), v1()], 'v1'],
  ['one pod has moved on', [v1(), v2(), v1()], 'v2'],
  ['a pod that lags reports again, since its sidecar restarted or the upstream accepted it', [v1({ since: at(5) }), v2()], 'v2'],
  ['a new pod starts with what is newest', [v2(), v2({ createdAt: at(4) })], 'v2'],
  ['the old value is written again', [v2(), v1({ createdAt: at(3) })], 'v1'],
  ['a report from before the credential named another Secret', [v1(), v2({ source: 'elsewhere' })], 'v1'],
  ['a pod that fails does not count', [v1(), use({ reason: 'SecretNotFound' })], 'v1'],
  ['a refused version is one', [v1({ reason: 'CredentialRefused' })], 'v1'],
];
test.each(rows)('%s', (_name, uses, version) => {
  expect(newest(...uses)).toBe(version);
});

test('each version that a pod uses is there', () => {
  expect(reportedVersions([v1(), v2()], 'here')?.versions?.states).toEqual({ v1: 'Live', v2: 'Live' });
});

test('a failure of all pods is the answer of the source', () => {
  const failed = use({ reason: 'SecretNotFound', message: 'there is no Secret' });
  expect(reportedVersions([failed, failed], 'here')).toEqual({ failure: { reason: 'SecretNotFound', message: 'there is no Secret' } });
  expect(reportedVersions([use({ reason: 'OfANewerSidecar' })], 'here')).toEqual({ failure: { reason: 'Unknown', message: '' } });
});

test('a pod that has only started says nothing yet', () => {
  expect(reportedVersions([use({ reason: 'SecretNotFound' }), use({})], 'here')).toBeUndefined();
});
