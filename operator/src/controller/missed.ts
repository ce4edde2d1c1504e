import type { Credential } from '@rekey/crds/credential.ts';
import { injectedLabel, injectionLabel, injectLabel } from '@rekey/crds/names.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import { keyOf } from '@rekey/lib/watch.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { selectorText } from '../decide/restart.ts';
import type { MissedPod } from '../decide/input.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { same } from '../status.ts';
import { workloadOf } from './pod.ts';
import type { WholePod } from './pod.ts';
import type { State } from './state.ts';

interface Context {
  kubernetes: Pick<Kubernetes, 'read'>;
  state: State;
  log: Log;
  now: () => number;
  random: () => number;
  /** The answer for this credential is another one than before. */
  onChange: (key: string) => void;
}

interface Answer {
  generation: number;
  at: number;
  /** Since when it has been the same. */
  since: number;
  pods: Listed[] | undefined;
}

interface Listed extends Omit<MissedPod, 'optedIn'> {
  optedInByLabel: boolean;
}

/** While pods are missed somebody is about to restart them, and asks whether it has worked; so does who has just made a credential. For a while. */
const soonMilliseconds = 10_000;
const freshMilliseconds = 120_000;
const laterMilliseconds = 60_000;
const atMostEvery = 3000;
/** An operator that starts asks for all credentials at once; they must not stay together for ever. */
const spread = 0.3;

/**
 * The running pods that a credential selects and that have no sidecar. Watching every pod of the cluster for them would cost the
 * operator more than all the rest; they are listed by the credential's own selector when its spec is new, and again now and then.
 */
export class Missed {
  readonly #context: Context;
  readonly #answers = new Map<string, Answer>();
  readonly #asking = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** What is known; asks anew in the background when that is old. Undefined before the first answer. */
  of(credential: Credential, bound: number): MissedPod[] | undefined {
    const key = keyOf(credential);
    const answer = this.#answers.get(key);
    if (this.#isOld(answer, credential, bound)) void this.#ask(key, credential);
    const inNamespace = this.#context.state.namespaces.get(credential.metadata.namespace)?.metadata.labels?.[injectionLabel] === 'enabled';
    return answer?.pods?.map(({ name, workload, optedInByLabel }) => ({ name, workload, optedIn: inNamespace || optedInByLabel }));
  }

  /** When to look at the credential again, in milliseconds. */
  lookAgainAfter(key: string, bound: number): number {
    const answer = this.#answers.get(key);
    const waiting = bound === 0 || (answer?.pods ?? []).length > 0;
    const isFresh = answer === undefined || this.#context.now() - answer.since < freshMilliseconds;
    if (waiting && isFresh) return soonMilliseconds;
    return laterMilliseconds * (1 + spread * this.#context.random());
  }

  forget(key: string): void {
    this.#answers.delete(key);
  }

  #isOld(answer: Answer | undefined, { metadata }: Credential, bound: number): boolean {
    if (answer === undefined || answer.generation !== metadata.generation) return true;
    const age = this.#context.now() - answer.at;
    return age >= (bound === 0 || (answer.pods ?? []).length > 0 ? atMostEvery : laterMilliseconds);
  }

  async #ask(key: string, credential: Credential): Promise<void> {
    if (this.#asking.has(key)) return;
    this.#asking.add(key);
    const pods = await this.#list(credential);
    this.#asking.delete(key);
    if (this.#context.state.credentials.get(key) === undefined) return;
    const before = this.#answers.get(key);
    const answer = answerOf(before, { pods, generation: credential.metadata.generation ?? 0, at: this.#context.now() });
    this.#answers.set(key, answer);
    if (!same(before?.pods, answer.pods)) this.#context.onChange(key);
  }

  async #list(credential: Credential): Promise<Listed[] | undefined> {
    const { kubernetes, log } = this.#context;
    const { namespace, name } = credential.metadata;
    const labelSelector = `${selectorText(credential.spec.podSelector)},${injectedLabel}!=true,${injectLabel}!=false`;
    // From the API server's cache: read from etcd, each list would cost it all pods of the namespace, for each credential.
    const query = new URLSearchParams({ labelSelector, fieldSelector: 'status.phase=Running', resourceVersion: '0' });
    try {
      const list = await kubernetes.read<KubernetesObject & { items: WholePod[] }>(
        `/api/v1/namespaces/${namespace}/pods?${query.toString()}`,
      );
      const running = (list?.items ?? []).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      return running.map(listed).sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      log('warn', 'matching pods not listed', { namespace, name, code: errorCode(error) });
      return undefined;
    }
  }
}

/** What could not be listed is as it was. */
function answerOf(before: Answer | undefined, { pods = before?.pods, generation, at }: Omit<Answer, 'since'>): Answer {
  const goesOn = before !== undefined && before.generation === generation && same(before.pods, pods);
  return { pods, generation, at, since: goesOn ? before.since : at };
}

function listed({ metadata }: WholePod): Listed {
  return { name: metadata.name, workload: workloadOf(metadata), optedInByLabel: metadata.labels?.[injectLabel] === 'true' };
}
