import type { CredentialSpec, CredentialStatus } from '@rekey/crds/credential.ts';
import { rotationDefaults } from '@rekey/crds/rotation-defaults.ts';
import { decide } from '../decide/decide.ts';
import { atSeven, input, now, pod, versions } from '../decide/input.fixture.ts';
import { newsOf } from '../decide/news.ts';
import { findCondition } from '../status.ts';

const iso = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
const on = (version: string, more: object = {}): ReturnType<typeof pod> =>
  pod(`on-${version}`, { version, acceptedVersion: version, ...more });
const complete: CredentialStatus = {
  ...atSeven,
  version: '8',
  previousVersion: '7',
  rotation: { phase: 'Complete', trigger: 'SourceChanged', startedAt: iso(-70), completedAt: iso(-60), acceptedAt: iso(-60) },
};
const resting = { status: complete, reading: versions({ 7: 'Live', 8: 'Live' }), pods: [on('8')] };
const graced = (graceSeconds: number): Partial<CredentialSpec> => ({ rotation: { ...rotationDefaults, graceSeconds } });

type Change = Parameters<typeof input>[0];
const cases: Record<string, [Change, string | undefined]> = {
  'when no pod can use it any more': [{}, 'True NoPodUsesIt'],
  'without pods too': [{ pods: [] }, 'True NoPodUsesIt'],
  'once the grace is over': [{ spec: graced(60) }, 'True NoPodUsesIt'],
  'not within the grace': [{ spec: graced(61) }, 'False GracePeriod'],
  'not while the rotation goes on': [{ pods: [on('8'), on('7')], status: { ...complete, rotation: rollingOut() } }, 'False RollingOut'],
  'not while a pod tries the next one': [
    { status: { ...complete, rotation: { ...rollingOut(), phase: 'Probing', candidate: '9' } }, reading: nine(), spec: probed() },
    'False Probing',
  ],
  'not when a pod with it appears after all': [{ pods: [on('8'), on('7')] }, 'False RollingOut'],
  'not when a pod appears that says nothing': [{ pods: [on('8'), pod('silent')] }, 'False RollingOut'],
  'not when the same number is another source’s': [{ pods: [on('8', { source: 'elsewhere' })] }, 'False RollingOut'],
  'not while a pod starts': [{ starting: ['new'] }, 'False PodsStarting'],
  'not while a pod that matches has no sidecar': [{ missed: [{ name: 'bare', optedIn: false }] }, 'False PodsNotBound'],
  'not before it is known which pods match': [{ missed: undefined }, 'False Pending'],
  'but what was known before a restart of the operator stands': [
    { missed: undefined, status: { ...complete, safeToRevoke: '7' } },
    'True NoPodUsesIt',
  ],
  'not while a call with it is under way': [{ pods: [on('8', { holds: ['7'] })] }, 'False VersionHeld'],
  'not when it is the newest, which a refused call tries': [
    { spec: { version: '7' }, status: { ...complete, version: '7', previousVersion: '8' }, pods: [on('7')] },
    'False NewestVersion',
  ],
  'there is nothing to say without a version before': [{ status: atSeven, reading: versions({ 7: 'Live' }), pods: [on('7')] }, undefined],
  'nor when the one before has the same name at another source': [
    { status: { ...complete, previousVersion: '8', previousSource: 'there' } },
    undefined,
  ],
};

function rollingOut(): NonNullable<CredentialStatus['rotation']> {
  return { phase: 'RollingOut', trigger: 'SourceChanged', startedAt: iso(-5) };
}
function nine(): ReturnType<typeof versions> {
  return versions({ 8: 'Live', 9: 'Live' });
}
function probed(): Partial<CredentialSpec> {
  return { rotation: { ...rotationDefaults, probe: { method: 'GET', path: '/user', headers: [], expectedStatus: 200 } } };
}

test.each(Object.entries(cases))('%s', (_sentence, [change, expected]) => {
  const status = decide(input({ ...resting, ...change }), now);
  const condition = findCondition(status.conditions, 'SafeToRevoke');
  expect(condition === undefined ? undefined : `${condition.status} ${condition.reason}`).toBe(expected);
  expect(status.safeToRevoke).toBe(expected === 'True NoPodUsesIt' ? '7' : undefined);
});

test('it is told when it is safe, and when it is no longer', () => {
  const safe = decide(input(resting), now);
  const late = decide(input({ ...resting, status: safe, pods: [on('8'), on('7')] }), now);
  const texts = [newsOf(complete, safe), newsOf(safe, late)].map((news) =>
    news.map(({ type, reason, message }) => `${type} ${reason}: ${message}`),
  );
  expect(texts[0]).toContain('Normal SafeToRevoke: no pod can use version 7 any more: it may be revoked');
  expect(texts[1]).toEqual(['Warning NotSafeToRevoke: version 7 is in use again: pods that do not use version 8: on-7']);
});
