/** coordination.k8s.io/v1 LeaseSpec, as far as it is used. Times have six fraction digits (MicroTime), or the API server refuses them. */
export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/** What one replica knows when it looks at the record. */
export interface Observation {
  /** Undefined when there is no Lease yet. */
  spec: LeaseSpec | undefined;
  /** Our own identity. */
  us: string;
  /** Whether we could do a leader's work: who does not know the cluster yet leaves the Lease to the others. */
  able: boolean;
  /** For how long the record has not changed before our eyes. Its own times are of another clock and decide nothing. */
  unchangedMilliseconds: number;
  /** Whether the holder's container has ended since the last renewal, as its kubelet says (`holder.ts`). */
  ended: boolean;
}

export type Step = 'create' | 'take' | 'renew' | 'wait';

export const leaseSeconds = 15;
/** A leader that could not renew for this long writes no more: 5 s before another may take the Lease. */
export const deadlineMilliseconds = 10_000;
export const retryMilliseconds = 2000;
/** A renewal is missing: who could be the next one looks more often, so that what the leader would do waits less. */
export const overdueMilliseconds = 500;
/** Two renewals are missing, or nearly: a leader that lives has one every two seconds. */
export const silentMilliseconds = 3500;

/**
 * | the Lease | its holder | we could lead | the record has not changed for | its container | step   |
 * |-----------|------------|---------------|--------------------------------|---------------|--------|
 * | there     | we         | any           | any time                       | -             | renew  |
 * | any       | any other  | no            | any time                       | any           | wait   |
 * | not there | -          | yes           | -                              | -             | create |
 * | there     | nobody     | yes           | any time                       | -             | take   |
 * | there     | another    | yes           | less than 3.5 s                | any           | wait   |
 * | there     | another    | yes           | less than its duration         | may run       | wait   |
 * | there     | another    | yes           | less than its duration         | has ended     | take   |
 * | there     | another    | yes           | its duration                   | any           | take   |
 */
export function decideLease({ spec, us, able, unchangedMilliseconds, ended }: Observation): Step {
  if (spec?.holderIdentity === us) return 'renew';
  if (!able) return 'wait';
  if (spec === undefined) return 'create';
  if ((spec.holderIdentity ?? '') === '') return 'take';
  const patience = ended ? silentMilliseconds : durationOf(spec);
  return unchangedMilliseconds >= patience ? 'take' : 'wait';
}

/** Whether it matters if the holder's container has ended: else nobody need be asked. */
export function isSilent({ spec, us, unchangedMilliseconds }: Omit<Observation, 'ended' | 'able'>): boolean {
  const { holderIdentity = '' } = spec ?? {};
  return holderIdentity !== '' && holderIdentity !== us && unchangedMilliseconds >= silentMilliseconds;
}

/** Milliseconds until the next look, after one that found a record which has not changed for so long. Who could not lead has no hurry. */
export function lookAgainAfter({ holds, able, unchangedMilliseconds }: Next): number {
  return !holds && able && unchangedMilliseconds >= retryMilliseconds ? overdueMilliseconds : retryMilliseconds;
}

interface Next extends Pick<Observation, 'able' | 'unchangedMilliseconds'> {
  /** Whether we lead. */
  holds: boolean;
}

function durationOf({ leaseDurationSeconds = leaseSeconds }: LeaseSpec): number {
  return leaseDurationSeconds * 1000;
}

/** The record that says that we hold it. */
export function heldBy(us: string, before: LeaseSpec, step: Exclude<Step, 'wait'>, now: Date): LeaseSpec {
  const renewTime = microTime(now);
  const { leaseTransitions = 0, acquireTime = renewTime } = before;
  const held = { holderIdentity: us, leaseDurationSeconds: leaseSeconds, renewTime };
  if (step === 'renew') return { ...held, acquireTime, leaseTransitions };
  return { ...held, acquireTime: renewTime, leaseTransitions: step === 'create' ? 0 : leaseTransitions + 1 };
}

/** The record that says that nobody does, so that the next one need not wait. */
export function released({ acquireTime, leaseTransitions = 0 }: LeaseSpec, now: Date): LeaseSpec {
  const kept = acquireTime === undefined ? {} : { acquireTime };
  return { ...kept, holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTime(now), leaseTransitions };
}

function microTime(date: Date): string {
  return date.toISOString().replace('Z', '000Z');
}
