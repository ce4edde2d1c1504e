import { BusyPoll } from './busy-poll.ts';

/** What has something to do once all that has come by now is read. */
export interface Due {
  endTurn(): void;
}

/**
 * One turn of the event loop. While connections are read, nothing is written: at the end of the turn all that they gave rise to leaves
 * together. A program on the other side is then woken once for several messages, and waking it costs more than anything else in a call.
 */
export class Turn {
  /** Calls under way. One alone has no other to wait for: what it writes leaves at once. */
  #calls = 0;
  readonly #writes: Due[] = [];
  readonly #rest: Due[] = [];
  readonly #poll = new BusyPoll(() => this.#calls);
  #isSet = false;

  /** A call begins. */
  begin(): void {
    this.#calls += 1;
    this.#poll.came();
  }

  /** What a call waited for has come. */
  came(): void {
    this.#poll.came();
  }

  /** A call is over. */
  end(): void {
    this.#calls -= 1;
  }

  /** Called at the end of this turn, or at once for a call that is alone. */
  write(due: Due): void {
    if (this.#calls <= 1 && !this.#isSet) return due.endTurn();
    this.atEnd(due);
  }

  /** Called at the end of this turn; during that end, behind those that wait already. */
  atEnd(due: Due): void {
    this.#writes.push(due);
    this.#set();
  }

  /** Called behind all writes: what nobody waits for. */
  afterWrites(due: Due): void {
    this.#rest.push(due);
    this.#set();
  }

  /** Resolves once no call is under way and nothing waits any more. Ask when no call can begin, and none can go on. */
  async over(): Promise<void> {
    while (this.#calls > 0 || this.#isSet) await new Promise((resolve) => setImmediate(resolve));
  }

  #set(): void {
    if (this.#isSet) return;
    this.#isSet = true;
    setImmediate(this.#end);
  }

  readonly #end = (): void => {
    this.#run(this.#writes);
    this.#run(this.#rest);
    this.#isSet = false;
    if (this.#writes.length + this.#rest.length > 0) this.#set();
  };

  /** The list grows while it is gone through. */
  #run(list: Due[]): void {
    for (let at = 0; at < list.length; at += 1) list[at]?.endTurn();
    list.length = 0;
  }
}
