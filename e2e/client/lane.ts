import type { Server } from '../servers/fleet.ts';
import { judgeError, judgeResult } from './judge.ts';
import type { Verdict } from './judge.ts';
import { Session } from './session.ts';
import type { Tally } from './tally.ts';

export interface LaneOptions {
  server: Server;
  url: string;
  /** Calls a second; not used where the server limits its own rate. */
  rate: number;
  timeout: number;
  /** The number of the first call. */
  first: number;
  tally: Tally;
  excused: () => boolean;
}

const mostInFlight = 8;

/** One session and the calls made on it: at fixed times, whatever the answers take. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #session: Session;
  readonly #inFlight = new Set<Promise<void>>();
  #number: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#session = new Session(options.url, options.timeout);
    this.#number = options.first;
  }

  get reconnects(): number {
    return this.#session.reconnects;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  open(): Promise<void> {
    return this.#session.open();
  }

  start(): void {
    const { pause } = this.#options.server;
    const interval = 1000 / this.#options.rate;
    // A random phase, so that the fleet's calls do not come in beats.
    if (pause === undefined) this.#tick(performance.now() + Math.random() * interval, interval);
    else void this.#oneByOne(pause);
  }

  /** Makes no further call, and waits for those in flight. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#inFlight);
    await this.#session.close();
  }

  #tick(due: number, interval: number): void {
    this.#timer = setTimeout(() => {
      if (this.#inFlight.size < mostInFlight) void this.#call();
      else this.#options.tally.skip();
      this.#tick(due + interval, interval);
    }, due - performance.now());
  }

  async #oneByOne(pause: number): Promise<void> {
    while (!this.#stopped) {
      await this.#call();
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #call(): Promise<void> {
    const call = this.#make().finally(() => this.#inFlight.delete(call));
    this.#inFlight.add(call);
    return call;
  }

  async #make(): Promise<void> {
    const { server, tally, excused } = this.#options;
    const number = this.#number++;
    const call = server.calls[number % server.calls.length];
    if (call === undefined) throw new Error(`${server.name} has no calls`);
    const start = performance.now();
    const verdict = await this.#session.call(call.tool, call.arguments(number)).then(
      (result): Verdict => judgeResult(call, number, result, excused()),
      (error: unknown): Verdict => judgeError(error, excused()),
    );
    tally.record(call.tool, verdict, performance.now() - start);
  }
}
