import type { CredentialSpec, CredentialStatus } from '@rekey/crds/credential.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import { decide } from '../decide/decide.ts';
import { atSeven, input, now, pod, versions } from '../decide/input.fixture.ts';
import type { BoundPod } from '../decide/input.ts';

const iso = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
const spec = (rotation: object): Partial<CredentialSpec> => {
  const { rotation: parsed } = credentialSpec.parse({ ...goodSpec, rotation });
  return { rotation: parsed };
};
const probe = spec({ probe: { path: '/user' } });
const both = spec({ probe: { path: '/user' }, canaryPods: 1, canarySeconds: 60 });
const canary = spec({ canaryPods: 2, canarySeconds: 60 });

const sevenAndEight = versions({ 7: 'Live', 8: 'Live' });
const eight = { reading: sevenAndEight };
const fleet = (...uses: Parameters<typeof pod>[1][]): BoundPod[] => uses.map((use, index) => pod(`p${index}`, use));
const on = (version: string, more: object = {}): object => ({ version, acceptedVersion: version, ...more });
const three = fleet(on('7'), on('7'), on('7'));
const refusing = { version: '8', acceptedVersion: '7', reason: 'CredentialRefused' };

type Rotation = NonNullable<CredentialStatus['rotation']>;
/** In a phase of the rotation from 7 to 8 that began 100 s ago; the phase 50 s ago. */
const at = (phase: Rotation['phase'], more: Partial<Rotation> = {}, status: Partial<CredentialStatus> = {}): CredentialStatus => ({
  ...atSeven,
  rotation: { phase, trigger: 'SourceChanged', startedAt: iso(-100), since: iso(-5), candidate: '8', ...more },
  ...status,
});
const { candidate: _none, ...moving } = at('RollingOut').rotation as Rotation;
const rollingOut = (more: Partial<Rotation> = {}): CredentialStatus => ({
  ...atSeven,
  version: '8',
  previousVersion: '7',
  rotation: { ...moving, ...more },
});
const complete = (more: Partial<Rotation> = {}): CredentialStatus => rollingOut({ phase: 'Complete', completedAt: iso(-60), ...more });
const answered = (outcome: 'Accepted' | 'Refused' | 'Failed', more: object = {}): object => ({
  ...on('7'),
  probe: { version: '8', startedAt: iso(-100), outcome, ...more },
});
const rejected = (more: object = {}): Partial<CredentialStatus> => ({
  rejected: [{ version: '8', source: 'here', reason: 'ProbeRefused', at: iso(-50), generation: 2, ...more }],
});
const rolledBack = (more: object = {}): CredentialStatus => at('RolledBack', { reason: 'ProbeRefused', message: 'no' }, rejected(more));

type Change = Parameters<typeof input>[0];
type Expected = { [K in keyof CredentialStatus]?: unknown };

const cases: Record<string, [Change, Expected]> = {
  'with a probe the fleet stays where it is, and one pod is asked': [
    { ...eight, spec: probe, pods: three },
    { version: '7', rotation: { phase: 'Probing', candidate: '8', pods: ['p0'], trigger: 'SourceChanged', startedAt: iso(0) } },
  ],
  'with canaries alone they get it first': [
    { ...eight, spec: canary, pods: three },
    { version: '7', rotation: { phase: 'Canary', candidate: '8', pods: ['p0', 'p1'] } },
  ],
  'without either it goes to all at once': [
    { ...eight, pods: three },
    { version: '8', previousVersion: '7', rotation: { phase: 'RollingOut' } },
  ],
  'the first version has nothing to be tried against': [
    { status: {}, spec: probe, pods: [] },
    { version: '7', rotation: { phase: 'Complete', trigger: 'Created' } },
  ],
  'a pin is a decision, and is not tried': [
    { ...eight, spec: { ...probe, version: '8' }, pods: three },
    { version: '8', rotation: { phase: 'RollingOut', trigger: 'VersionPinned' } },
  ],
  'the newest of another source cannot be tried beside the old one': [
    { ...eight, spec: probe, source: 'there', pods: three },
    { version: '8', previousVersion: '7', previousSource: 'here', rotation: { phase: 'RollingOut' } },
  ],
  'of a source that shows its newest alone nothing can be tried': [
    { ...eight, spec: probe, polled: false, pods: three },
    { version: '8', rotation: { phase: 'RollingOut' } },
  ],
  'when the source has dropped the version in use there is nothing to lose': [
    { reading: versions({ 7: 'Destroyed', 8: 'Live' }), spec: probe, pods: three },
    { version: '8', rotation: { phase: 'RollingOut' } },
  ],
  'a probe without pods waits for one': [
    { ...eight, spec: probe, pods: [] },
    { version: '7', rotation: { phase: 'Probing', pods: [] } },
  ],
  'a probe asks no pod that has not reported': [
    { ...eight, spec: probe, pods: fleet(undefined, on('7')) },
    { rotation: { phase: 'Probing', pods: ['p1'] } },
  ],

  'the pod that is asked has some time': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p1'] }), pods: three },
    { version: '7', rotation: { phase: 'Probing', pods: ['p1'], since: iso(-5) } },
  ],
  'a pod that does not answer in time gives way to the next': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p1'], since: iso(-15) }), pods: three },
    { rotation: { phase: 'Probing', pods: ['p2'], since: iso(0), startedAt: iso(-100) } },
  ],
  'after the last pod it is the first one’s turn again': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p2'], since: iso(-15) }), pods: three },
    { rotation: { phase: 'Probing', pods: ['p0'] } },
  ],
  'a pod that is gone gives way at once': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['gone'] }), pods: three },
    { rotation: { phase: 'Probing', pods: ['p0'], since: iso(0) } },
  ],
  'an upstream that cannot be asked says nothing of the version': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(answered('Failed'), on('7')) },
    { version: '7', rotation: { phase: 'Probing' } },
  ],
  'an answer to an earlier question counts for nothing': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(answered('Accepted', { startedAt: iso(-500) })) },
    { rotation: { phase: 'Probing' } },
  ],
  'an answer about another version counts for nothing': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(answered('Accepted', { version: '9' })) },
    { rotation: { phase: 'Probing' } },
  ],
  'a probe that succeeds lets it go to all': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(answered('Accepted'), on('7')) },
    { version: '8', previousVersion: '7', rotation: { phase: 'RollingOut', startedAt: iso(-100), since: iso(0) } },
  ],
  'a probe that succeeds lets it go to the canaries': [
    { ...eight, spec: both, status: at('Probing', { pods: ['p1'] }), pods: fleet(on('7'), answered('Accepted')) },
    { version: '7', rotation: { phase: 'Canary', candidate: '8', pods: ['p0'], since: iso(0) } },
  ],
  'a probe that is refused changes nothing for the fleet, and is remembered with its reason': [
    {
      ...eight,
      spec: probe,
      status: at('Probing', { pods: ['p0'] }),
      pods: fleet(answered('Refused', { message: 'GET /user answers 401' })),
    },
    {
      version: '7',
      rotation: { phase: 'RolledBack', candidate: '8', reason: 'ProbeRefused', message: 'pod p0 tried version 8: GET /user answers 401' },
      rejected: [{ version: '8', source: 'here', reason: 'ProbeRefused', at: iso(0), generation: 2 }],
      history: [
        {
          version: '8',
          at: iso(-100),
          trigger: 'SourceChanged',
          durationMilliseconds: 100_000,
          result: 'RolledBack',
          reason: 'ProbeRefused',
        },
      ],
    },
  ],
  'a refusal weighs more than that the old version is refused too': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(answered('Refused'), on('8')) },
    { version: '7', rotation: { phase: 'RolledBack' } },
  ],
  'a version of another account is refused': [
    { ...eight, spec: probe, status: at('Probing', {}, { account: 'aa' }), pods: fleet(answered('Accepted', { account: 'bb' })) },
    { version: '7', account: 'aa', rotation: { phase: 'RolledBack', reason: 'AccountChanged' } },
  ],
  'without a known account that of the version in use counts': [
    { ...eight, spec: probe, status: at('Probing'), pods: fleet(answered('Accepted', { account: 'bb', currentAccount: 'aa' })) },
    { rotation: { phase: 'RolledBack', reason: 'AccountChanged' } },
  ],
  'the account of a version that goes out is known from then on': [
    { ...eight, spec: probe, status: at('Probing'), pods: fleet(answered('Accepted', { account: 'aa', currentAccount: 'aa' })) },
    { version: '8', account: 'aa', rotation: { phase: 'RollingOut' } },
  ],
  'when a pod was refused the version in use and got the new one accepted, waiting helps nobody': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(on('7'), on('8')) },
    { version: '8', rotation: { phase: 'RollingOut' } },
  ],
  'a candidate that the source takes back is not rolled out, and may come again': [
    { reading: versions({ 7: 'Live', 8: 'Deleted' }), spec: probe, status: at('Probing'), pods: three },
    { version: '7', rotation: { phase: 'RolledBack', reason: 'VersionDeleted' }, rejected: undefined },
  ],
  'so it is when it is the pod that was asked': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(on('8')) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],
  'but not before the upstream has accepted the new one': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p0'] }), pods: fleet(on('7'), { version: '8', acceptedVersion: '7' }) },
    { version: '7', rotation: { phase: 'Probing' } },
  ],
  'a pod that learned nothing does not hide what another one learned': [
    { ...eight, spec: probe, status: at('Probing', { pods: ['p1'] }), pods: fleet(answered('Failed'), answered('Accepted')) },
    { version: '8', rotation: { phase: 'RollingOut' } },
  ],
  'canaries whose version the source takes back are told to go back': [
    { reading: versions({ 7: 'Live', 8: 'Deleted' }), spec: canary, status: at('Canary', { pods: ['p0'] }), pods: three },
    { version: '7', rotation: { phase: 'RolledBack', reason: 'VersionDeleted' } },
  ],
  'a refusal of the same number at another source says nothing': [
    { ...eight, status: rollingOut({ refusedAt: iso(-99) }), pods: fleet({ ...refusing, source: 'elsewhere' }) },
    { version: '8', rotation: { phase: 'RollingOut' } },
  ],
  'a newer version in the middle begins again with a probe': [
    { reading: versions({ 7: 'Live', 8: 'Live', 9: 'Live' }), spec: probe, status: at('Probing', { pods: ['p1'] }), pods: three },
    {
      version: '7',
      rotation: { phase: 'Probing', candidate: '9', startedAt: iso(0) },
      history: [{ version: '8', at: iso(-100), trigger: 'SourceChanged', durationMilliseconds: 100_000, result: 'Superseded' }],
    },
  ],
  'a newer version while the canaries run begins again with a probe': [
    { reading: versions({ 7: 'Live', 8: 'Live', 9: 'Live' }), spec: both, status: at('Canary', { pods: ['p1'] }), pods: three },
    { version: '7', rotation: { phase: 'Probing', candidate: '9' } },
  ],
  'an outage of the source leaves the candidate where it is': [
    {
      reading: { failure: { reason: 'SourceUnreachable', message: '' } },
      spec: probe,
      status: at('Probing', { pods: ['p0'] }),
      pods: three,
    },
    { version: '7', rotation: { phase: 'Probing', candidate: '8', pods: ['p0'] } },
  ],
  'a pin to the version in use ends the trial': [
    { ...eight, spec: { ...probe, version: '7' }, status: at('Probing'), pods: three },
    {
      version: '7',
      rotation: { phase: 'Complete', trigger: 'VersionPinned' },
      history: [{ version: '7' }, { version: '8', result: 'Superseded' }],
    },
  ],

  'canaries have their time': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'], since: iso(-59) }), pods: fleet(on('8'), on('8'), on('7')) },
    { version: '7', rotation: { phase: 'Canary', acceptedAt: iso(0) } },
  ],
  'after their time the others get it': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'], since: iso(-60) }), pods: fleet(on('8'), on('8'), on('7')) },
    { version: '8', previousVersion: '7', rotation: { phase: 'RollingOut' } },
  ],
  'a canary that has not taken it up holds it': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'], since: iso(-99) }), pods: fleet(on('8'), on('7'), on('7')) },
    { version: '7', rotation: { phase: 'Canary' } },
  ],
  'a canary that is gone is replaced': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['gone', 'p1'] }), pods: three },
    { rotation: { phase: 'Canary', pods: ['p0', 'p1'] } },
  ],
  'canaries that are refused have some time too': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'] }), pods: fleet(refusing, on('8'), on('7')) },
    { version: '7', rotation: { phase: 'Canary', refusedAt: iso(0) } },
  ],
  'canaries that go on being refused take it back': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'], refusedAt: iso(-10) }), pods: fleet(refusing, on('8'), on('7')) },
    { version: '7', rotation: { phase: 'RolledBack', reason: 'CredentialRefused', candidate: '8' }, rejected: [{ version: '8' }] },
  ],
  'a pod outside the canaries that had to take it up ends the waiting': [
    { ...eight, spec: canary, status: at('Canary', { pods: ['p0', 'p1'] }), pods: fleet(on('8'), on('8'), on('8')) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],

  'fewer refusals than the threshold hold nothing': [
    { ...eight, status: rollingOut({ refusedAt: iso(-99) }), pods: fleet(refusing, on('8'), on('8')) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],
  'refusals above the threshold are given time': [
    { ...eight, status: rollingOut(), pods: fleet(refusing, refusing, on('7')) },
    { version: '8', rotation: { phase: 'RollingOut', refusedAt: iso(0) } },
  ],
  'refusals that last take the fleet back': [
    { ...eight, status: rollingOut({ refusedAt: iso(-10) }), pods: fleet(refusing, refusing, on('7')) },
    {
      version: '7',
      previousVersion: '8',
      rotation: { phase: 'RolledBack', candidate: '8', reason: 'CredentialRefused' },
      rejected: [{ version: '8', reason: 'CredentialRefused' }],
    },
  ],
  'with a grace they may last for half of it': [
    { ...eight, spec: spec({ graceSeconds: 60 }), status: rollingOut({ refusedAt: iso(-29) }), pods: fleet(refusing) },
    { version: '8' },
  ],
  'calls that fall back are refused ones': [
    {
      ...eight,
      spec: spec({ graceSeconds: 60 }),
      status: rollingOut({ refusedAt: iso(-30) }),
      pods: fleet({ ...refusing, reason: 'NewVersionRefused' }),
    },
    { version: '7', rotation: { phase: 'RolledBack' } },
  ],
  'a version that every pod uses and the upstream has never accepted is taken back too': [
    { ...eight, status: complete({ refusedAt: iso(-10) }), pods: fleet(refusing, refusing) },
    { version: '7', rotation: { phase: 'RolledBack' } },
  ],
  'one that it has accepted before was revoked, and the one before is no better': [
    { ...eight, status: complete({ refusedAt: iso(-10), acceptedAt: iso(-50) }), pods: fleet(refusing, refusing) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],
  'a pod to which it was accepted first is no witness against it': [
    { ...eight, status: complete({ refusedAt: iso(-99) }), pods: fleet({ ...refusing, acceptedVersion: '8' }) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],
  'a pin is not taken back': [
    { ...eight, spec: { version: '8' }, status: rollingOut({ trigger: 'VersionPinned', refusedAt: iso(-99) }), pods: fleet(refusing) },
    { version: '8' },
  ],
  'where no pod had the version before accepted, nobody knows that it is better': [
    { ...eight, status: rollingOut({ refusedAt: iso(-99) }), pods: fleet({ version: '8', reason: 'CredentialRefused' }) },
    { version: '8', rotation: { phase: 'Complete' } },
  ],
  'there is no way back to a version that the source has dropped': [
    { reading: versions({ 7: 'Destroyed', 8: 'Live' }), status: rollingOut({ refusedAt: iso(-99) }), pods: fleet(refusing) },
    { version: '8' },
  ],
  'nor to one of another source': [
    { ...eight, status: { ...rollingOut({ refusedAt: iso(-99) }), previousSource: 'there' }, pods: fleet(refusing) },
    { version: '8' },
  ],
  'nor where no version can be read but the newest': [
    { ...eight, polled: false, status: rollingOut({ refusedAt: iso(-99) }), pods: fleet(refusing) },
    { version: '8' },
  ],

  'a version that was refused is not tried again by itself': [
    { ...eight, spec: probe, status: rolledBack(), pods: three },
    { version: '7', rotation: { phase: 'RolledBack', startedAt: iso(-100) } },
  ],
  'nor without the probe that refused it': [
    { ...eight, status: rolledBack(), pods: three },
    { version: '7', rotation: { phase: 'RolledBack' } },
  ],
  'an edit asks for it': [
    { ...eight, spec: probe, status: rolledBack({ generation: 1 }), specChanged: true, pods: three },
    { rotation: { phase: 'Probing', candidate: '8', trigger: 'SpecChanged', startedAt: iso(0) }, rejected: undefined },
  ],
  'so does another value of the annotation': [
    { ...eight, spec: probe, status: rolledBack({ asked: '000000000000' }), pods: three },
    { rotation: { phase: 'Probing', candidate: '8', trigger: 'Requested' } },
  ],
  'and a newer version': [
    { reading: versions({ 7: 'Live', 8: 'Live', 9: 'Live' }), spec: probe, status: rolledBack(), pods: three },
    { rotation: { phase: 'Probing', candidate: '9', trigger: 'SourceChanged' }, rejected: [{ version: '8' }] },
  ],
  'a version that comes back after it was refused is still refused': [
    {
      reading: { versions: { current: '8', states: { 8: 'Live', 9: 'Live' } } },
      status: { ...atSeven, version: '9', ...rejected() },
      pods: fleet(on('9')),
    },
    { version: '9', rotation: { phase: 'RolledBack', candidate: '8', reason: 'ProbeRefused' } },
  ],
  'once the newest is the one in use again, it is over': [
    { reading: versions({ 7: 'Live' }), spec: probe, status: rolledBack(), pods: three },
    { version: '7', rotation: { phase: 'Complete', trigger: 'SourceChanged' } },
  ],
  'though no call has been answered since': [
    { reading: versions({ 7: 'Live' }), spec: probe, status: rolledBack(), pods: fleet({ version: '7' }) },
    { version: '7', rotation: { phase: 'Complete' } },
  ],
  'a pin to the good version makes it a decision': [
    { ...eight, spec: { version: '7' }, status: rolledBack(), pods: three },
    { version: '7', rotation: { phase: 'Complete', trigger: 'VersionPinned' } },
  ],
  'a version that the source had taken back and gives again is tried': [
    { ...eight, spec: probe, status: at('RolledBack', { reason: 'VersionDeleted' }), pods: three },
    { rotation: { phase: 'Probing', candidate: '8', trigger: 'SourceChanged' } },
  ],
};

test.each(Object.entries(cases))('%s', (_sentence, [change, expected]) => {
  const status = decide(input(change), now);
  const said = Object.fromEntries(Object.keys(expected).map((field) => [field, status[field as keyof CredentialStatus]]));
  expect(said).toMatchObject(expected);
});

test.each(Object.entries(cases))('deciding again changes nothing: %s', (_sentence, [change]) => {
  const status = decide(input(change), now);
  expect(decide(input({ ...change, status, specChanged: false }), now)).toEqual(status);
});

test('a version that was rolled back leaves one entry, and the time of the version that is in use again', () => {
  const seven = { version: '7', at: iso(-900), trigger: 'SourceChanged', durationMilliseconds: 2000, result: 'Complete' } as const;
  const entry = { version: '8', at: iso(-100), trigger: 'SourceChanged', durationMilliseconds: 40_000, result: 'Complete' } as const;
  const before = { ...complete({ refusedAt: iso(-10) }), rotatedAt: iso(-60), history: [entry, seven] };
  const { history, rotatedAt } = decide(input({ ...eight, status: before, pods: fleet(refusing) }), now);
  expect(history?.map(({ version, result }) => `${version} ${result}`)).toEqual(['8 RolledBack', '7 Complete']);
  expect(rotatedAt).toBe(iso(-898));
});

test('a canary that recovers is forgiven', () => {
  const status = at('Canary', { pods: ['p0', 'p1'], refusedAt: iso(-9) });
  const { rotation } = decide(input({ ...eight, spec: canary, status, pods: fleet(on('8'), on('8'), on('7')) }), now);
  expect(rotation).toMatchObject({ phase: 'Canary' });
  expect(rotation).not.toHaveProperty('refusedAt');
});

const exactness: Record<string, [Change, true | undefined]> = {
  'a pod may read the newest by itself where nothing keeps it from that': [{}, undefined],
  'not with a pin': [{ spec: { version: '7' } }, true],
  'not with a probe': [{ spec: probe }, true],
  'not with canaries': [{ spec: canary }, true],
  'not after a rollback': [{ ...eight, status: rolledBack() }, true],
  'but where the source shows its newest alone nothing else can be read': [{ ...eight, polled: false, status: rolledBack() }, undefined],
};
test.each(Object.entries(exactness))('%s', (_sentence, [change, expected]) => {
  expect(decide(input(change), now).exact).toBe(expected);
});
