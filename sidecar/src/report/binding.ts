import type { Use } from '@rekey/crds/binding.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import { backoff } from '@rekey/lib/backoff.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { Clock } from '../clock.ts';
import type { Kubernetes } from '../kubernetes.ts';

export interface BindingContext {
  namespace: string;
  pod: string;
  podUID: string;
  applyStatus: Kubernetes['applyStatus'];
  clock: Clock;
  random: () => number;
  /** The time of day, for people. */
  date: () => Date;
  log: Log;
}

/** Changes of one moment go out together, and two writes are so far apart. */
const together = 100;
const apart = 500;
/** A write so young has hardly been undone, and all pods that look again spread over as long. */
const settled = 30_000;

/** Keeps the status of this pod's MCPCredentialBinding: written only when it changes, one write at a time, until the last state has arrived. */
export class BindingWriter {
  readonly #context: BindingContext;
  readonly #stop = new AbortController();
  #uses: readonly Use[] = [];
  #written = '';
  #attempt = 0;
  #writing = false;
  #notBefore = 0;
  #cancelTimer: (() => void) | undefined;
  #cancelRepeat: (() => void) | undefined;

  constructor(context: BindingContext) {
    this.#context = context;
  }

  /** What should be written. An entry that says what it said before keeps its `since`. */
  set(uses: readonly Omit<Use, 'since'>[]): void {
    const since = this.#context.date().toISOString();
    this.#uses = uses.map((use) => this.#uses.find((before) => same(before, use)) ?? { ...use, since });
    if (this.#cancelTimer === undefined && !this.#writing) this.#in(together);
  }

  /**
   * The operator counts a pod that does not say what it should: somebody may have deleted this binding, and the operator's new one
   * is empty. So the same is written again, once, at a random moment, unless something new was written meanwhile: in a rotation every pod is
   * counted so until it has reported. Where nothing was lost the API server changes nothing.
   */
  repeat(): void {
    const { clock, random } = this.#context;
    if (this.#cancelRepeat !== undefined || this.#written === '' || clock.now() < this.#notBefore + settled) return;
    const before = this.#notBefore;
    this.#cancelRepeat = clock.after(random() * settled, () => {
      this.#cancelRepeat = undefined;
      if (this.#notBefore !== before) return;
      this.#written = '';
      if (this.#cancelTimer === undefined && !this.#writing) this.#in(0);
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#cancelRepeat?.();
    this.#cancelTimer?.();
  }

  #in(milliseconds: number): void {
    if (this.#stop.signal.aborted || JSON.stringify(this.#uses) === this.#written) return;
    const { clock } = this.#context;
    const wait = Math.max(milliseconds, this.#notBefore - clock.now());
    this.#cancelTimer = clock.after(wait, () => {
      this.#cancelTimer = undefined;
      void this.#write();
    });
  }

  async #write(): Promise<void> {
    const uses = this.#uses;
    this.#writing = true;
    this.#notBefore = this.#context.clock.now() + apart;
    const problem = await this.#apply(uses);
    this.#writing = false;
    if (problem === undefined) {
      this.#written = JSON.stringify(uses);
      this.#attempt = 0;
      this.#in(together);
      return;
    }
    this.#tell(problem);
    this.#in(Math.max(apart, backoff(this.#attempt, this.#context.random, 1000, 30_000)));
    this.#attempt += 1;
  }

  /** What kept the write from arriving, or undefined. */
  async #apply(uses: readonly Use[]): Promise<{ status: number; code: string } | undefined> {
    const { namespace, pod, podUID, applyStatus } = this.#context;
    const path = `${apiPath}/namespaces/${namespace}/mcpcredentialbindings/${pod}/status`;
    const object = {
      apiVersion,
      kind: 'MCPCredentialBinding',
      metadata: { name: pod, namespace },
      status: { credentials: uses, summary: summaryOf(uses) },
    };
    try {
      const { status, body } = await applyStatus(path, object, this.#stop.signal);
      if (status < 200 || status > 299) return { status, code: 'Status' };
      // A StatefulSet's pod comes back under its name before the old one's binding is collected: that one is not ours.
      return podUIDOf(body) === podUID ? undefined : { status, code: 'OtherPod' };
    } catch (error) {
      return { status: 0, code: errorCode(error) };
    }
  }

  #tell({ status, code }: { status: number; code: string }): void {
    if (this.#stop.signal.aborted) return;
    const { log, pod } = this.#context;
    // The operator makes the binding after the pod has started: the first attempts may well come too early.
    log(this.#attempt === 5 ? 'warn' : 'debug', 'the binding was not written', { pod, status, code, attempt: this.#attempt });
  }
}

/** Each credential with its version, for `kubectl get`: `github@8 slack@3 (SourceDenied)`. */
export function summaryOf(uses: readonly Use[]): string {
  const text = uses.map(({ name, version, reason }) => `${name}@${version ?? '?'}${reason === undefined ? '' : ` (${reason})`}`).join(' ');
  return text.length <= 256 ? text : `${text.slice(0, 253)}...`;
}

function same({ since: _since, ...before }: Use, use: Omit<Use, 'since'>): boolean {
  return JSON.stringify(before) === JSON.stringify(use);
}

function podUIDOf(body: unknown): unknown {
  return (body as { spec?: { podUID?: unknown } } | undefined)?.spec?.podUID;
}
