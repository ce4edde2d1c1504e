import type { ProbeResult } from '@rekey/crds/binding.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { backoff } from '@rekey/lib/backoff.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Clock } from '../clock.ts';
import type { Question } from '../credential/resource.ts';
import { fingerprint } from '../source/fingerprint.ts';
import { accountIn, judgeProbe } from './answer.ts';
import type { Judged } from './answer.ts';
import { probeRequest } from './request.ts';
import type { ProbeAnswer, Send } from './request.ts';

export interface ProberContext {
  /** The credential's name, and what its accounts are accounts of. */
  name: string;
  place: string;
  spec: () => CredentialSpec | undefined;
  /** One version of the source, past the cache: no call may get it. */
  read: (version: string, signal: AbortSignal) => Promise<SecretValue>;
  /** The value that calls carry now. */
  current: () => Promise<SecretValue>;
  send: Send;
  clock: Clock;
  random: () => number;
  /** `result` may be another one now. */
  onResult: () => void;
}

/** Answers the operator's question: what the upstream says to a version that no other pod has. Until there is an answer it tries again. */
export class Prober {
  readonly #context: ProberContext;
  #question: Question | undefined;
  #trying = new AbortController();
  #result: ProbeResult | undefined;
  /** The last one that was seen. */
  #account: { text: string; fingerprint: string } | undefined;

  constructor(context: ProberContext) {
    this.#context = context;
  }

  /** What the last question led to. */
  get result(): ProbeResult | undefined {
    return this.#result;
  }

  /** The question as it is now; undefined ends what is under way. */
  ask(question: Question | undefined): void {
    if (idOf(question) === idOf(this.#question)) return;
    this.#question = question;
    this.#trying.abort();
    this.#trying = new AbortController();
    if (question !== undefined) void this.#answer(question, this.#trying.signal);
  }

  stop(): void {
    this.ask(undefined);
  }

  async #answer(question: Question, signal: AbortSignal): Promise<void> {
    const { clock, random, onResult } = this.#context;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const { version, startedAt } = question;
      const found = await this.#try(question, signal).catch(failed);
      if (signal.aborted) return;
      this.#result = { version, startedAt, ...found };
      onResult();
      if (found.outcome !== 'Failed') return;
      await pause(clock, Math.max(1000, backoff(attempt, random, 2000, 10_000)), signal);
    }
  }

  async #try(question: Question, signal: AbortSignal): Promise<Omit<ProbeResult, 'version' | 'startedAt'>> {
    const { name, spec: specNow, read, send } = this.#context;
    const spec = specNow();
    if (spec === undefined) throw new Failure('CredentialDeleted');
    const answer = await send(probeRequest(name, spec, await read(question.version, signal)), signal);
    const judged = judgeProbe(answer, spec);
    const field = spec.rotation?.probe?.sameAccountField;
    return judged.outcome === 'Accepted' && field !== undefined
      ? this.#withAccount(judged, answer, { spec, field, question, signal })
      : judged;
  }

  async #withAccount(
    judged: Judged,
    answer: ProbeAnswer,
    { spec, field, question, signal }: Account,
  ): Promise<Omit<ProbeResult, 'version' | 'startedAt'>> {
    const text = accountIn(answer, field);
    if (text === undefined) return { ...judged, outcome: 'Refused', reason: 'AccountChanged', message: `the answer has no field ${field}` };
    const account = await this.#fingerprint(text);
    if (question.account !== undefined) return { ...judged, account };
    const currentAccount = await this.#currentAccount(spec, field, signal);
    return { ...judged, account, ...(currentAccount === undefined ? {} : { currentAccount }) };
  }

  /** Undefined when the version in use cannot say it any more: then the first one that can is believed. */
  async #currentAccount(spec: CredentialSpec, field: string, signal: AbortSignal): Promise<string | undefined> {
    const { name, current, send } = this.#context;
    try {
      const answer = await send(probeRequest(name, spec, await current()), signal);
      const text = judgeProbe(answer, spec).outcome === 'Accepted' ? accountIn(answer, field) : undefined;
      return text === undefined ? undefined : await this.#fingerprint(text);
    } catch {
      return undefined;
    }
  }

  /** It is the same account nearly always. */
  async #fingerprint(account: string): Promise<string> {
    if (this.#account?.text === account) return this.#account.fingerprint;
    const made = await fingerprint(new SecretValue(account), `account ${this.#context.place}`);
    this.#account = { text: account, fingerprint: made };
    return made;
  }
}

interface Account {
  spec: CredentialSpec;
  field: string;
  question: Question;
  signal: AbortSignal;
}

/** Nothing was learned of the version, and why. */
function failed(error: unknown): Omit<ProbeResult, 'version' | 'startedAt'> {
  const { reason, message } = error instanceof Failure ? error : new Failure('UpstreamUnreachable');
  return { outcome: 'Failed', reason, message };
}

function idOf(question: Question | undefined): string {
  return question === undefined ? '' : `${question.version} ${question.startedAt}`;
}

function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(milliseconds, resolve);
    signal.addEventListener(
      'abort',
      () => {
        cancel();
        resolve();
      },
      { once: true },
    );
  });
}
