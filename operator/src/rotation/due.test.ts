import type { CredentialStatus } from '@rekey/crds/credential.ts';
import { rotationDefaults } from '@rekey/crds/rotation-defaults.ts';
import { credential } from '../decide/input.fixture.ts';
import { dueIn } from './due.ts';

const now = Date.parse('2026-11-25T12:00:00Z');
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString();
type Rotation = NonNullable<CredentialStatus['rotation']>;
const never = Number.POSITIVE_INFINITY;

/** Seconds until it is time to look, with a grace of 60 s and canaries of 300 s. */
const cases: Record<string, [Partial<Rotation>, number]> = {
  'a pod that probes has 15 s': [{ phase: 'Probing', since: ago(5) }, 10],
  'canaries have their time': [{ phase: 'Canary', since: ago(100) }, 200],
  'canaries that are refused are looked at when that has lasted': [{ phase: 'Canary', since: ago(100), refusedAt: ago(10) }, 20],
  'a rollout waits for pods, not for time': [{ phase: 'RollingOut', since: ago(5) }, never],
  'refusals must last': [{ phase: 'RollingOut', since: ago(5), refusedAt: ago(29) }, 1],
  'the old version may be revoked after the grace': [{ phase: 'Complete', completedAt: ago(50) }, 10],
  'what is long past has been decided': [{ phase: 'Complete', completedAt: ago(5000), refusedAt: ago(5000) }, never],
  'a rollback waits for people': [{ phase: 'RolledBack', since: ago(5), refusedAt: ago(5) }, never],
};

test.each(Object.entries(cases))('%s', (_sentence, [rotation, seconds]) => {
  const status: CredentialStatus = { rotation: { phase: 'Complete', trigger: 'SourceChanged', startedAt: ago(9000), ...rotation } };
  const spec = { rotation: { ...rotationDefaults, canarySeconds: 300, graceSeconds: 60 } };
  expect(dueIn(credential('github', spec), status, now)).toBe(seconds * 1000);
});

test('what was due a moment ago is looked at once more, and what has no rotation is not', () => {
  const late: CredentialStatus = { rotation: { phase: 'Probing', trigger: 'SourceChanged', startedAt: ago(20), since: ago(15.5) } };
  expect(dueIn(credential('github'), late, now)).toBe(50);
  expect(dueIn(credential('github'), {}, now)).toBe(never);
});
