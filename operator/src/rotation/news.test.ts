import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { newsOf } from '../decide/news.ts';

type Rotation = NonNullable<CredentialStatus['rotation']>;
const at = (phase: Rotation['phase'], more: Partial<Rotation> = {}, status: CredentialStatus = {}): CredentialStatus => ({
  version: '7',
  rotation: { phase, trigger: 'SourceChanged', candidate: '8', pods: ['p0'], startedAt: '2026-11-22T12:00:00.000Z', ...more },
  ...status,
});
const { candidate: _candidate, pods: _pods, ...out } = at('RollingOut').rotation as Rotation;
const rollingOut: CredentialStatus = { version: '8', previousVersion: '7', rotation: out };

const cases: Record<string, [CredentialStatus, CredentialStatus, string[]]> = {
  'a probe begins': [{ version: '7' }, at('Probing'), ['Normal RotationStarted: version 7 -> 8, trigger SourceChanged, a probe first']],
  'another pod is asked': [at('Probing'), at('Probing', { pods: ['p1'] }), []],
  'the probe succeeds': [
    at('Probing'),
    at('Canary', { pods: ['p1', 'p2'] }),
    ['Normal ProbeAccepted: version 8 goes on: the upstream accepted it from pod p0', 'Normal Canary: version 8 for p1, p2 first'],
  ],
  'the probe is refused': [
    at('Probing'),
    at('RolledBack', { reason: 'ProbeRefused', message: 'pod p0 tried version 8: GET /user answers 401' }),
    ['Warning RolledBack: version 8 (ProbeRefused): pod p0 tried version 8: GET /user answers 401; the pods use version 7'],
  ],
  'the canaries are done': [at('Canary'), rollingOut, []],
  'it stays rolled back': [at('RolledBack'), at('RolledBack'), []],
  'it is rolled back again, after somebody has asked': [
    at('RolledBack'),
    at('RolledBack', { startedAt: '2026-11-22T12:05:00.000Z', trigger: 'Requested', reason: 'ProbeRefused', message: 'no' }),
    [
      'Normal RotationStarted: version 7 -> 8, trigger Requested',
      'Warning RolledBack: version 8 (ProbeRefused): no; the pods use version 7',
    ],
  ],
  'a trial ends because the version in use is pinned': [
    at('Probing'),
    { version: '7', previousVersion: '6', rotation: { ...out, trigger: 'VersionPinned', startedAt: '2026-11-22T12:05:00.000Z' } },
    ['Normal RotationStarted: back to version 7, trigger VersionPinned'],
  ],
};

test.each(Object.entries(cases))('%s', (_sentence, [before, after, expected]) => {
  expect(newsOf(before, after).map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual(expected);
});
