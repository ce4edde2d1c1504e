import { write as writeTo } from 'node:fs';
import type { Reason } from '@rekey/lib/reason.ts';
import type { CacheState } from '../credential/credential.ts';

/** One use of a credential, or a call that was refused. No header, no query, no body: nothing that can hold a value. */
export interface Use {
  credential: string | undefined;
  version: string | undefined;
  host: string;
  method: string;
  /** The target; only what stands before its query is told. */
  target: string;
  /** 0 when the client went away before there was an answer. */
  status: number;
  latencyMilliseconds: number;
  cache: CacheState | 'none';
  injected: boolean;
  replayed: boolean;
  /** Why the sidecar answered by itself. */
  reason: Reason | undefined;
  traceparent: string | undefined;
  /** The MCP tool that caused the call, where the server says it. */
  tool?: string | undefined;
}

/** Who uses them: the same in every line. */
export interface Who {
  namespace: string;
  pod: string;
  serviceAccount: string;
}

export interface AuditOptions {
  who: Who;
  /** Writes a part of the text and tells how many bytes; like fs.write. */
  write?: (bytes: Buffer, done: (error: Error | null, written: number) => void) => void;
  onLost: (lines: number) => void;
  /** Gets each line too, without its line break, and when it was written. */
  also?: ((use: Use, line: string, milliseconds: number) => void) | undefined;
  now?: () => number;
}

const batchBytes = 64 * 1024;
const batchMilliseconds = 50;
/** A pipe whose reader is stuck costs 1 MiB at most. */
const mostBatches = 16;
/** In UTF-8, of a UTF-16 code unit. */
const mostBytesOfCharacter = 3;
const mostPath = 1024;
/** W3C Trace Context, version 00. */
const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u;

const toStdout: NonNullable<AuditOptions['write']> = (bytes, done) => writeTo(1, bytes, done);

/** One field of a line and its comma; nothing when there is nothing to tell. */
const text = (name: string, value: string | undefined): string => (value === undefined ? '' : `"${name}":${JSON.stringify(value)},`);

/** A field whose values are few: one after the other has the same. */
class Repeated {
  readonly #name: string;
  #value: string | undefined;
  #text = '';

  constructor(name: string) {
    this.#name = name;
  }

  of(value: string | undefined): string {
    if (value !== this.#value) this.#text = text(this.#name, value);
    this.#value = value;
    return this.#text;
  }
}

/** Lines that leave in one write. */
interface Batch {
  bytes: Buffer;
  filled: number;
  lines: number;
}

/**
 * Writes one JSON line a use, in batches and never waiting: stdout is a pipe whose reader may be slow, and process.stdout would
 * block all calls on it. What does not fit into the queue is counted as lost.
 */
export class Audit {
  readonly #start: string;
  readonly #write: NonNullable<AuditOptions['write']>;
  readonly #onLost: (lines: number) => void;
  readonly #also: AuditOptions['also'];
  readonly #now: () => number;
  readonly #credential = new Repeated('credential');
  readonly #version = new Repeated('version');
  readonly #host = new Repeated('host');
  readonly #method = new Repeated('method');
  #millisecond = Number.NaN;
  /** What each line of this millisecond begins with. */
  #beginning = '';
  /** Batches that wait, the one that is being filled among them as the last. */
  #batches: Batch[] = [];
  /** One that was written, to be filled again: text that is kept as strings for so long would be work for the garbage collector. */
  #spare: Buffer | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Lines of the one batch that is being written. */
  #writing = 0;
  #idle: (() => void)[] = [];

  constructor({ who, write = toStdout, onLost, also, now = Date.now }: AuditOptions) {
    const { namespace, pod, serviceAccount } = who;
    this.#start = `${JSON.stringify({ type: 'use', namespace, pod, serviceAccount }).slice(0, -1)},`;
    this.#write = write;
    this.#onLost = onLost;
    this.#also = also;
    this.#now = now;
  }

  add(use: Use): void {
    const line = this.#lineOf(use);
    this.#also?.(use, line.slice(0, -1), this.#millisecond);
    const batch = this.#batchFor(line);
    if (batch === undefined) return this.#onLost(1);
    batch.filled += batch.bytes.write(line, batch.filled, 'utf8');
    batch.lines += 1;
    this.#sendSoon();
  }

  /** Resolves once everything is written, or after `milliseconds`; then what is left is counted as lost. */
  async stop(milliseconds = 1000): Promise<void> {
    const written = new Promise<void>((resolve) => this.#idle.push(resolve));
    const late = new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref());
    this.#send();
    await Promise.race([written, late]);
    const left = this.#batches.reduce((sum, { lines }) => sum + lines, this.#writing);
    if (left > 0) this.#onLost(left);
    this.#batches = [];
  }

  /** Undefined when no more may wait. */
  #batchFor(line: string): Batch | undefined {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.filled + line.length * mostBytesOfCharacter <= batchBytes) return last;
    const isTooLong = line.length * mostBytesOfCharacter > batchBytes && Buffer.byteLength(line) > batchBytes;
    if (isTooLong || this.#batches.length >= mostBatches) return undefined;
    const batch = { bytes: this.#spare ?? Buffer.allocUnsafeSlow(batchBytes), filled: 0, lines: 0 };
    this.#spare = undefined;
    this.#batches.push(batch);
    return batch;
  }

  /** By hand, since one JSON.stringify of all fields takes several times as long, for every call. */
  #lineOf(use: Use): string {
    const { target, status, latencyMilliseconds, cache, injected, replayed, traceparent } = use;
    const question = target.indexOf('?');
    const path = (question < 0 ? target : target.slice(0, question)).slice(0, mostPath);
    const trace = traceparent !== undefined && traceparentPattern.test(traceparent) ? traceparent : undefined;
    const who = `${this.#credential.of(use.credential)}${this.#version.of(use.version)}`;
    const to = `${this.#host.of(use.host)}${this.#method.of(use.method)}`;
    const what = `${text('path', path)}${text('reason', use.reason)}${text('traceparent', trace)}${text('tool', use.tool)}`;
    const how = `"status":${status},"latencyMilliseconds":${latencyMilliseconds},"cache":"${cache}","injected":${injected},"replayed":${replayed}`;
    return `${this.#begin()}${who}${to}${what}${how}}\n`;
  }

  /** Calls come many to a millisecond. */
  #begin(): string {
    const now = this.#now();
    if (now !== this.#millisecond) {
      this.#millisecond = now;
      this.#beginning = `${this.#start}"time":"${new Date(now).toISOString()}",`;
    }
    return this.#beginning;
  }

  /** A few lines wait for others, also when a write has just been done: each write costs as much as some calls. */
  #sendSoon(): void {
    if (this.#batches.length > 1 || this.#idle.length > 0) this.#send();
    else if (this.#batches.length > 0) this.#timer ??= setTimeout(() => this.#send(), batchMilliseconds);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing > 0) return;
    const batch = this.#batches.shift();
    if (batch === undefined) return this.#tellIdle();
    this.#writing = batch.lines;
    this.#writeOut(batch.bytes.subarray(0, batch.filled), batch);
  }

  #tellIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #writeOut(bytes: Buffer, batch: Batch): void {
    this.#write(bytes, (error, written) => {
      const rest = error === null ? bytes.subarray(written) : bytes;
      const failed = error !== null && (error as NodeJS.ErrnoException).code !== 'EAGAIN';
      if (!failed && rest.length > 0) {
        // A full pipe that does not block; its reader needs a moment.
        setTimeout(() => this.#writeOut(rest, batch), error === null ? 0 : batchMilliseconds);
        return;
      }
      if (failed) this.#onLost(batch.lines);
      this.#writing = 0;
      this.#spare = batch.bytes;
      this.#sendSoon();
    });
  }
}
