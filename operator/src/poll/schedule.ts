import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reading } from '../decide/input.ts';
import type { StoreReadings } from '../decide/store.ts';
import { same } from '../status.ts';
import type { MetadataSource } from './poll.ts';
import { pause } from './pause.ts';
import { placeOf } from './poll.ts';
import { quotaOf, Quotas } from './quota.ts';
import { sharedSources, storeId } from './shared.ts';
import type { SharedSources } from './shared.ts';

/** A question to a store: about one path, or, without a source, whether the login works. */
export interface Question {
  store: Store;
  source?: CredentialSource | undefined;
}

export interface PollsOptions {
  open: (store: Store) => MetadataSource;
  /** The answer to the question of these users is another one than before. */
  onChange: (users: string[], store: string) => void;
  /** Each answer: `ok`, or the reason of the failure. */
  onPoll: (store: string, outcome: string) => void;
  /** How long a poll waits after its answer, in milliseconds. */
  onPause?: (milliseconds: number) => void;
  quotas?: Quotas;
  /** Of a clock that is never set; its milliseconds are since any moment. */
  now: () => number;
  random: () => number;
}

interface Poll {
  id: string;
  question: Question;
  users: Set<string>;
  source: MetadataSource;
  reading?: Reading;
  failures: number;
  askedAt: number;
  busy: boolean;
  /** Asked for while busy. */
  again: boolean;
  /** Due, and waiting for room in its quota. */
  queued: boolean;
  /** Since when an answer is asked for that no question has been put for yet. */
  wantedAt?: number | undefined;
  /** Somebody decides nothing until it is there. */
  awaited: boolean;
  timer?: NodeJS.Timeout | undefined;
}

/** Of who waits for an answer before deciding: a source that is slow, or whose quota has no room, holds nothing up for longer. */
const patienceMilliseconds = 5000;

/** One poll for each distinct store and path, however many credentials name it. */
export class Polls {
  readonly #options: PollsOptions;
  readonly #sources: SharedSources;
  readonly #polls = new Map<string, Poll>();
  readonly #byUser = new Map<string, Poll>();
  readonly #quotas: Quotas;
  /** How many polls draw on each quota. */
  readonly #sharing = new Map<string, number>();

  constructor(options: PollsOptions) {
    this.#options = options;
    this.#quotas = options.quotas ?? new Quotas();
    this.#sources = sharedSources(options.open);
  }

  /** From now on `user` (a key) wants the answer to this question, at once and then at the store's interval; undefined ends it. */
  follow(user: string, question: Question | undefined): void {
    const old = this.#byUser.get(user);
    const next = question === undefined ? undefined : (this.#polls.get(idOf(question)) ?? this.#begin(question));
    if (old === next) return;
    next?.users.add(user);
    if (next === undefined) this.#byUser.delete(user);
    else this.#byUser.set(user, next);
    if (old !== undefined) this.#leave(old, user);
  }

  /** Asks again at once, unless it was asked within the last second or its quota has no room. */
  now(user: string): void {
    const poll = this.#byUser.get(user);
    if (poll === undefined) return;
    poll.wantedAt ??= this.#options.now();
    if (poll.busy) poll.again = true;
    else if (!poll.queued) this.#plan(poll, this.#spacing(poll));
  }

  /** How long the answer that was asked for by `now` is worth waiting for, in milliseconds; when it comes, `onChange` tells whatever it says. */
  patience(user: string): number {
    const poll = this.#byUser.get(user);
    if (poll?.wantedAt === undefined) return 0;
    const left = poll.wantedAt + patienceMilliseconds - this.#options.now();
    poll.awaited = left > 0;
    return Math.max(0, left);
  }

  reading(user: string): Reading | undefined {
    return this.#byUser.get(user)?.reading;
  }

  ofStore(name: string): StoreReadings {
    const polls = [...this.#polls.values()].filter(({ question }) => question.store.metadata.name === name);
    const login = polls.find(({ question }) => question.source === undefined)?.reading;
    const paths = polls.filter(({ question }) => question.source !== undefined).map(({ reading }) => reading);
    return { login, paths: paths.filter((reading) => reading !== undefined) };
  }

  stop(): void {
    for (const user of this.#byUser.keys()) this.follow(user, undefined);
  }

  #begin(question: Question): Poll {
    const id = idOf(question);
    const source = this.#sources.acquire(question.store);
    const poll: Poll = {
      id,
      question,
      source,
      users: new Set(),
      failures: 0,
      askedAt: Number.NEGATIVE_INFINITY,
      busy: false,
      again: false,
      queued: false,
      awaited: false,
    };
    this.#polls.set(id, poll);
    this.#share(question, 1);
    this.#plan(poll, 0);
    return poll;
  }

  #leave(poll: Poll, user: string): void {
    poll.users.delete(user);
    if (poll.users.size > 0) return;
    clearTimeout(poll.timer);
    this.#polls.delete(poll.id);
    this.#share(poll.question, -1);
    this.#sources.release(poll.question.store);
  }

  #share({ store, source }: Question, more: 1 | -1): void {
    const name = quotaOf(store, source)?.name;
    if (name !== undefined) this.#sharing.set(name, (this.#sharing.get(name) ?? 0) + more);
  }

  #spacing({ askedAt }: Poll): number {
    return Math.max(0, askedAt + 1000 - this.#options.now());
  }

  #plan(poll: Poll, milliseconds: number): void {
    clearTimeout(poll.timer);
    poll.timer = setTimeout(() => this.#due(poll), milliseconds).unref();
  }

  #due(poll: Poll): void {
    const quota = quotaOf(poll.question.store, poll.question.source);
    const wait = quota === undefined ? 0 : this.#quotas.take(quota, this.#options.now());
    poll.queued = wait > 0;
    if (poll.queued) poll.timer = setTimeout(() => void this.#ask(poll), wait).unref();
    else void this.#ask(poll);
  }

  async #ask(poll: Poll): Promise<void> {
    Object.assign(poll, { busy: true, again: false, queued: false, askedAt: this.#options.now() });
    const reading = await answerOf(poll);
    poll.busy = false;
    if (this.#polls.get(poll.id) !== poll) return;
    // Asked for while it was on its way, it may be from before what it was asked for.
    if (!poll.again) poll.wantedAt = undefined;
    this.#accept(poll, reading);
    const milliseconds = this.#pause(poll, reading);
    this.#options.onPause?.(milliseconds);
    this.#plan(poll, poll.again ? this.#spacing(poll) : milliseconds);
  }

  #pause(poll: Poll, reading: Reading): number {
    const { question, failures } = poll;
    const quota = quotaOf(question.store, question.source);
    if (quota === undefined) return pause({ ...question, reading, failures }, this.#options.random);
    this.#quotas.answered(quota, reading.failure?.reason === 'SourceThrottled');
    const shared = {
      questions: this.#sharing.get(quota.name) ?? 0,
      perMinute: quota.questionsPerMinute,
      slowness: this.#quotas.slowness(quota),
    };
    return pause({ ...question, reading, failures, shared }, this.#options.random);
  }

  #accept(poll: Poll, reading: Reading): void {
    const before = poll.reading;
    poll.reading = reading;
    poll.failures = reading.failure === undefined ? 0 : poll.failures + 1;
    const store = poll.question.store.metadata.name;
    this.#options.onPoll(store, reading.failure?.reason ?? 'ok');
    const awaited = poll.awaited && poll.wantedAt === undefined;
    if (awaited) poll.awaited = false;
    if (awaited || !same(before, reading)) this.#options.onChange([...poll.users], store);
  }
}

async function answerOf({ source, question }: Poll): Promise<Reading> {
  try {
    if (question.source !== undefined) return { versions: await source.versions(question.source) };
    await source.check();
    return { versions: { current: '', states: {} } };
  } catch (error) {
    if (error instanceof Failure) return { failure: { reason: error.reason, message: error.message } };
    return { failure: { reason: 'SourceResponseInvalid', message: 'the answer of the store cannot be understood' } };
  }
}

function idOf({ store, source }: Question): string {
  const place = source === undefined ? '' : (placeOf(store.spec, source) ?? '-');
  return `${storeId(store)} ${source === undefined ? 'login' : 'path'} ${place}`;
}
