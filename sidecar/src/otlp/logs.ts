import type { Use, Who } from '../report/audit.ts';
import type { Clock } from '../clock.ts';
import type { Posted } from './answer.ts';
import { fateOf } from './answer.ts';
import { envelope, recordOf } from './record.ts';

export interface LogsOptions {
  who: Who;
  /** Posts a body and resolves with the answer, or with undefined when there was none. Never rejects. */
  post: (body: string) => Promise<Posted | undefined>;
  onLost: (lines: number) => void;
  clock: Clock;
  random: () => number;
  /** Milliseconds since 1970. */
  now: () => number;
}

const batchMilliseconds = 1000;
const batchRecords = 512;
/** Of all that waits, in characters: a collector that is away costs that much memory and no more. */
const mostCharacters = 1024 * 1024;
/** So long a batch is tried again; what the collector missed for longer is lost. */
const patience = 300_000;

interface Batch {
  records: string[];
  /** Since when it is tried. */
  since: number;
  attempt: number;
}

/** Sends the audit's lines to a collector besides stdout: in batches, one request at a time, and no call ever waits for it. */
export class OtlpLogs {
  readonly #options: LogsOptions;
  readonly #envelope: { before: string; after: string };
  #waiting: string[] = [];
  #characters = 0;
  /** What is on its way, or waits to be tried again. */
  #batch: Batch | undefined;
  #cancel: (() => void) | undefined;
  /** The collector wants to be left alone until then. */
  #notBefore = 0;
  #isStopping = false;
  #onIdle: () => void = () => undefined;

  constructor(options: LogsOptions) {
    this.#options = options;
    this.#envelope = envelope(options.who);
  }

  /** A line of the audit, without its line break, and when it was written, in milliseconds since 1970. */
  add(use: Use, line: string, milliseconds: number): void {
    const record = recordOf(use, line, milliseconds);
    if (this.#isStopping || this.#characters + record.length > mostCharacters) return this.#options.onLost(1);
    this.#waiting.push(record);
    this.#characters += record.length;
    if (this.#batch === undefined) this.#beginSoon();
  }

  /** Sends what is left, once. Resolves when that is done or `milliseconds` are over; what is left then is counted as lost. */
  async stop(milliseconds = 1000): Promise<void> {
    this.#isStopping = true;
    const idle = new Promise<void>((resolve) => (this.#onIdle = resolve));
    const late = new Promise<void>((resolve) => void this.#options.clock.after(milliseconds, resolve));
    // One that waits for another try has its last one now.
    if (this.#cancel !== undefined || this.#batch === undefined) this.#begin();
    await Promise.race([idle, late]);
    this.#cancel?.();
    this.#lose(this.#batch?.records.length ?? 0);
    this.#lose(this.#waiting.length);
    this.#batch = undefined;
    this.#waiting = [];
  }

  /** The batch that is there, or the next one. */
  #begin(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#batch ??= this.#next();
    if (this.#batch === undefined) this.#onIdle();
    else void this.#send(this.#batch);
  }

  #next(): Batch | undefined {
    if (this.#waiting.length === 0) return undefined;
    return { records: this.#waiting.splice(0, batchRecords), since: this.#options.clock.now(), attempt: 0 };
  }

  async #send(batch: Batch): Promise<void> {
    const { post, clock, random, now } = this.#options;
    batch.attempt += 1;
    const posted = await post(`${this.#envelope.before}${batch.records.join()}${this.#envelope.after}`);
    if (this.#batch !== batch) return; // it has been given up
    const fate = fateOf(posted, batch.attempt, now(), random);
    if (fate.step === 'again') this.#notBefore = clock.now() + fate.milliseconds;
    if (fate.step === 'again' && !this.#isStopping && this.#notBefore - batch.since <= patience) {
      this.#cancel = clock.after(fate.milliseconds, () => this.#begin());
      return;
    }
    this.#lose(fate.step === 'done' ? Math.min(fate.rejected, batch.records.length) : batch.records.length);
    this.#over(batch);
  }

  #over({ records }: Batch): void {
    for (const { length } of records) this.#characters -= length;
    this.#batch = undefined;
    if (this.#isStopping) this.#begin();
    else if (this.#waiting.length > 0) this.#beginSoon();
  }

  /** A batch that is full waits for nothing but the collector. */
  #beginSoon(): void {
    const { clock } = this.#options;
    const isFull = this.#waiting.length >= batchRecords;
    const wait = Math.max(isFull ? 0 : batchMilliseconds, this.#notBefore - clock.now());
    if (wait <= 0) this.#begin();
    else this.#cancel ??= clock.after(wait, () => this.#begin());
  }

  #lose(lines: number): void {
    if (lines > 0) this.#options.onLost(lines);
  }
}
