import { sleep } from '@rekey/lib/backoff.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { certainlySince, momentOf, mostSince, systemClock } from '../clock.ts';
import type { Clock, Moment } from '../clock.ts';
import { deadlineMilliseconds, decideLease, heldBy, isSilent, lookAgainAfter, released, retryMilliseconds } from './decide.ts';
import type { LeaseSpec, Step } from './decide.ts';
import { fence } from './fence.ts';
import type { Fence } from './fence.ts';
import { hasEnded, podOf } from './holder.ts';
import type { PodStatus } from './holder.ts';

export interface LeaseOptions {
  kubernetes: Kubernetes;
  /** The operator's own namespace, where the Lease and the pods of all replicas are. */
  namespace: string;
  /** Of this process alone (`holder.ts`). */
  identity: string;
  log: Log;
  /** Whether it could do a leader's work by now; who could not leaves the Lease to the others. */
  able?: () => boolean;
  clock?: Clock;
  pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

export interface Lease {
  /** Resolves once this replica leads. */
  leading: Promise<void>;
  /** Aborts when it leads no more: lost, or released. */
  ended: AbortSignal;
  /** Resolves when the Lease was lost: the process then ends, since nothing in it can be trusted to have stopped. */
  lost: Promise<void>;
  /** Whether it may write at this moment. False from the renewal's deadline on, whether or not anybody has noticed yet. */
  holds: () => boolean;
  /** The API server, for who writes as the leader. */
  kubernetes: Kubernetes;
  /** Gives it back, so that another replica leads within two seconds. Never rejects. */
  release: () => Promise<void>;
}

/** The same for all replicas. */
export const leaseName = 'rekey-operator';
/** An attempt without an answer is given up, so that the deadline is looked at again. */
const attemptMilliseconds = 3000;
/** How long a release waits for the answers to the last writes. */
const settleMilliseconds = 1000;

interface LeaseObject extends KubernetesObject {
  spec?: LeaseSpec;
}

/** Leader election with one Lease, as client-go does it: 15 s, 10 s and 2 s. Every write names the resourceVersion that it rests on. */
export function electLeader(options: LeaseOptions): Lease {
  const election = new Election(options);
  void election.run();
  return {
    leading: election.leading.promise,
    ended: election.ended.signal,
    lost: election.lost.promise,
    holds: () => election.holds(),
    kubernetes: election.fence.kubernetes,
    release: () => election.release(),
  };
}

class Election {
  readonly leading = Promise.withResolvers<void>();
  readonly lost = Promise.withResolvers<void>();
  readonly ended = new AbortController();
  readonly fence: Fence;
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  readonly #collection: string;
  #renewed: Moment | undefined;
  #seen: { record: string; at: Moment } | undefined;
  /** Milliseconds; a look that failed has found nothing overdue. */
  #lookAgainAfter = retryMilliseconds;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
    this.fence = fence(options.kubernetes, () => this.holds());
  }

  holds(): boolean {
    if (this.#renewed === undefined || this.ended.signal.aborted) return false;
    return mostSince(this.#renewed, this.#clock) < deadlineMilliseconds;
  }

  async run(): Promise<void> {
    const { pause = sleep, log } = this.#options;
    const { signal } = this.ended;
    while (!signal.aborted) {
      this.#lookAgainAfter = retryMilliseconds;
      const attempt = this.#turn().catch((error: unknown) =>
        log('warn', 'the lease could not be read or written', { name: leaseName, code: errorCode(error) }),
      );
      await Promise.race([attempt, pause(attemptMilliseconds, signal)]);
      // After the attempt: a process that was stopped, or a clock that was set, asks once more before it gives up.
      if (this.#renewed !== undefined && !this.holds()) this.#lose();
      await pause(this.#lookAgainAfter, signal);
    }
  }

  async release(): Promise<void> {
    const { kubernetes, identity, log, pause = sleep } = this.#options;
    const held = this.holds();
    this.ended.abort();
    if (!held) return;
    try {
      await Promise.race([this.fence.settled(), pause(settleMilliseconds)]);
      const lease = await kubernetes.read<LeaseObject>(this.#path());
      if (lease?.spec?.holderIdentity === identity) await this.#write(lease, released(lease.spec, this.#now()));
      log('info', 'the lease is released', { name: leaseName });
    } catch (error) {
      log('warn', 'the lease was not released', { name: leaseName, code: errorCode(error) });
    }
  }

  async #turn(): Promise<void> {
    // Before the record is read: what counts is the earliest moment at which others may have seen the renewal.
    const begun = momentOf(this.#clock);
    const { kubernetes, identity } = this.#options;
    const lease = await kubernetes.read<LeaseObject>(this.#path());
    const step = await this.#decide(lease);
    this.#lookAgainAfter = lookAgainAfter({
      holds: this.#renewed !== undefined,
      able: this.#able,
      unchangedMilliseconds: this.#unchanged(),
    });
    if (this.ended.signal.aborted || this.#isOvertaken(begun)) return;
    if (this.#renewed !== undefined && lease?.spec?.holderIdentity !== identity) this.#lose();
    else if (step !== 'wait') await this.#hold(lease, step, begun);
  }

  async #decide(lease: LeaseObject | undefined): Promise<Step> {
    const { identity: us } = this.#options;
    this.#see(lease);
    const observed = { able: this.#able, spec: specOf(lease), us, unchangedMilliseconds: this.#unchanged() };
    return decideLease({ ...observed, ended: isSilent(observed) && (await this.#hasEnded(observed.spec ?? {})) });
  }

  get #able(): boolean {
    return this.#options.able?.() ?? true;
  }

  async #hasEnded({ holderIdentity = '', renewTime }: LeaseSpec): Promise<boolean> {
    const { kubernetes, namespace } = this.#options;
    const pod = await kubernetes.read<KubernetesObject & PodStatus>(`/api/v1/namespaces/${namespace}/pods/${podOf(holderIdentity)}`);
    return hasEnded(pod, renewTime);
  }

  async #hold(lease: LeaseObject | undefined, step: Exclude<Step, 'wait'>, begun: Moment): Promise<void> {
    const { kubernetes, namespace, identity, log } = this.#options;
    const spec = heldBy(identity, specOf(lease) ?? {}, step, this.#now());
    const object = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: leaseName, namespace } };
    if (lease === undefined) await kubernetes.create(this.#collection, { ...object, spec });
    else await this.#write(lease, spec);
    if (this.ended.signal.aborted) return;
    if (this.#renewed === undefined) log('info', 'this replica leads', { name: leaseName, pod: podOf(identity) });
    if (!this.#isOvertaken(begun)) this.#renewed = begun;
    this.leading.resolve();
  }

  /** The answer to an attempt that was given up may come after that to a later one. */
  #isOvertaken(begun: Moment): boolean {
    return this.#renewed !== undefined && begun.monotonic < this.#renewed.monotonic;
  }

  async #write({ metadata: { resourceVersion } }: LeaseObject, spec: LeaseSpec): Promise<void> {
    await this.#options.kubernetes.patch(this.#path(), { metadata: { resourceVersion }, spec });
  }

  #see(lease: LeaseObject | undefined): void {
    const record = JSON.stringify([lease?.metadata.uid, lease?.spec]);
    if (this.#seen?.record !== record) this.#seen = { record, at: momentOf(this.#clock) };
  }

  /** Milliseconds since the record that was seen last was seen first. */
  #unchanged(): number {
    return this.#seen === undefined ? 0 : certainlySince(this.#seen.at, this.#clock);
  }

  #lose(): void {
    if (this.ended.signal.aborted) return;
    this.#options.log('error', 'the lease is lost', { name: leaseName });
    this.ended.abort();
    this.lost.resolve();
  }

  #path(): string {
    return `${this.#collection}/${leaseName}`;
  }

  #now(): Date {
    return new Date(this.#clock.wall());
  }
}

/** A Lease without a spec, as somebody may have made it, is one that nobody holds. */
function specOf(lease: LeaseObject | undefined): LeaseSpec | undefined {
  return lease === undefined ? undefined : (lease.spec ?? {});
}
