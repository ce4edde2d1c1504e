import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { decide } from './decide.ts';
import { atSeven, input, now, pod, versions } from './input.fixture.ts';
import { newsOf } from './news.ts';

const days = (count: number): string => new Date(now.getTime() + count * 86_400_000).toISOString();
const seven = (more: object = {}): ReturnType<typeof pod> => pod('a', { version: '7', acceptedVersion: '7', ...more });
const saying = (status: CredentialStatus): Record<string, string> =>
  Object.fromEntries((status.conditions ?? []).map(({ type, status: value }) => [type, value]));

type Change = Parameters<typeof input>[0];
interface Expected {
  expiresAt?: string;
  conditions: Record<string, string>;
  absent?: string[];
}

const cases: Record<string, [Change, Expected]> = {
  'an end that nobody knows is not told of': [{}, { conditions: {}, absent: ['ExpiringSoon', 'Expired', 'RotationDue'] }],
  'an end that is far': [
    { pods: [seven({ expiresAt: days(15) })] },
    { expiresAt: days(15), conditions: { ExpiringSoon: 'False', Expired: 'False' } },
  ],
  'an end that is near': [{ pods: [seven({ expiresAt: days(14) })] }, { conditions: { ExpiringSoon: 'True', Expired: 'False' } }],
  'an end that is over': [{ pods: [seven({ expiresAt: days(0) })] }, { conditions: { ExpiringSoon: 'True', Expired: 'True' } }],
  'of several ends the first counts': [
    { pods: [seven({ expiresAt: days(9) }), pod('b', { version: '7', expiresAt: days(5) })] },
    { expiresAt: days(5), conditions: {} },
  ],
  'an end of another version does not count': [
    { pods: [seven(), pod('b', { version: '6', expiresAt: days(5) })] },
    { conditions: {}, absent: ['ExpiringSoon'] },
  ],
  'what was known of this version stands when its pods are gone': [
    { pods: [], status: { ...atSeven, expiresAt: days(20) } },
    { expiresAt: days(20), conditions: { ExpiringSoon: 'False' } },
  ],
  'and goes with the version': [
    { pods: [], status: { ...atSeven, expiresAt: days(20) }, reading: versions({ 7: 'Live', 8: 'Live' }) },
    { conditions: {}, absent: ['ExpiringSoon'] },
  ],
  'a version in use for less than rotationDueDays': [
    { spec: { rotationDueDays: 30 }, status: { ...atSeven, rotatedAt: days(-29.9) } },
    { conditions: { RotationDue: 'False' } },
  ],
  'a version in use for rotationDueDays': [
    { spec: { rotationDueDays: 30 }, status: { ...atSeven, rotatedAt: days(-30) } },
    { conditions: { RotationDue: 'True' } },
  ],
  'a first version that no pod has taken up yet': [
    { spec: { rotationDueDays: 1 }, status: {}, pods: [pod('a')] },
    { conditions: { RotationDue: 'False' } },
  ],
};

test.each(Object.entries(cases))('%s', (_sentence, [change, { expiresAt, conditions, absent = [] }]) => {
  const status = decide(input(change), now);
  expect(saying(status)).toMatchObject(conditions);
  expect(absent.filter((type) => type in saying(status))).toEqual([]);
  expect(expiresAt ?? status.expiresAt).toBe(status.expiresAt);
});

test('each is an Event when it becomes so, and not again', () => {
  const before = decide(input({ spec: { rotationDueDays: 1 } }), now);
  const late = { spec: { rotationDueDays: 1 }, pods: [seven({ expiresAt: days(0) })], status: { ...before, rotatedAt: days(-2) } };
  const after = decide(input(late), now);
  expect(newsOf(before, after).map(({ type, reason }) => `${type} ${reason}`)).toEqual([
    'Warning ExpiringSoon',
    'Warning Expired',
    'Warning RotationDue',
  ]);
  expect(newsOf(after, decide(input({ ...late, status: after }), now))).toEqual([]);
});
