import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { newsOf } from './news.ts';

const available = (status: 'True' | 'False' | 'Unknown', reason: string): CredentialStatus => ({
  conditions: [{ type: 'Available', status, reason, message: 'why', lastTransitionTime: '2026-11-22T12:00:00Z' }],
});
const moving: CredentialStatus = {
  version: '8',
  previousVersion: '7',
  rotation: { phase: 'RollingOut', trigger: 'SourceChanged', startedAt: '2026-11-22T12:00:00.000Z' },
};
const done: CredentialStatus = {
  ...moving,
  pods: { bound: 11, current: 11, failing: 0, summary: '11/11' },
  rotation: { phase: 'Complete', trigger: 'SourceChanged', startedAt: '2026-11-22T12:00:00.000Z', completedAt: '2026-11-22T12:00:01.840Z' },
};

const cases: Record<string, [CredentialStatus, CredentialStatus, string[]]> = {
  'a rotation starts': [{ version: '7' }, moving, ['Normal RotationStarted: version 7 -> 8, trigger SourceChanged']],
  'the same number of another source': [
    { version: '8' },
    { ...moving, previousVersion: '8' },
    ['Normal RotationStarted: version 8 of another source -> 8, trigger SourceChanged'],
  ],
  'a rotation is complete': [moving, done, ['Normal RotationComplete: 11 of 11 pods use version 8 after 1.8 s']],
  'nothing is new about a rotation that goes on': [moving, moving, []],
  'it stops working': [available('True', 'CallsSucceed'), available('False', 'SourceDenied'), ['Warning SourceDenied: why']],
  'it does not work, now for another reason': [
    available('False', 'SourceDenied'),
    available('False', 'KeyNotFound'),
    ['Warning KeyNotFound: why'],
  ],
  'it still does not work': [available('False', 'SourceDenied'), available('False', 'SourceDenied'), []],
  'it works again': [available('False', 'SourceDenied'), available('True', 'CallsSucceed'), ['Normal CallsSucceed: why']],
  'it is resumed': [available('False', 'Suspended'), available('Unknown', 'NoCallsYet'), ['Normal Resumed: why']],
  'the first call of a version is no news': [available('Unknown', 'NoCallsYet'), available('True', 'CallsSucceed'), []],
};

test.each(Object.entries(cases))('%s', (_sentence, [before, after, expected]) => {
  expect(newsOf(before, after).map(({ type, reason, message }) => `${type} ${reason}: ${message}`)).toEqual(expected);
});
