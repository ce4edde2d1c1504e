import { Failure } from '@rekey/lib/reason.ts';
import { Account } from './account.ts';
import { answerFor, failureOf } from './answer.ts';
import { Attempt } from './attempt.ts';
import type { Attempted } from './attempt.ts';
import { RequestBody } from './body.ts';
import { discard } from './discard.ts';
import type { Checked } from './head.ts';
import { trailerLines } from '../http/hop.ts';
import type { BodyReader } from '../http/body-reader.ts';
import { requestBody } from '../http/body-reader.ts';
import { closes } from '../http/control.ts';
import { Malformed } from '../http/malformed.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { Judge } from './judge.ts';
import type { Judged } from './judge.ts';
import type { Means } from './means.ts';
import { outgoingOf, twinsOf } from './outgoing.ts';
import type { Client } from './relay.ts';
import { Reply } from './relay.ts';
import { Scrubbed } from '../scrub/scrubbed.ts';
import { scrubbedOf, wantedOf } from '../scrub/wanted.ts';
import { Search } from './search.ts';
import { Uses } from '../inject/uses.ts';
import { isSwitched } from './web-socket.ts';

/**
 * One call: finds the placeholder, fetches the value, sends, looks for a refusal, replays once with a newer value, and hands the
 * answer on. Each step goes on by a callback; only a value that is not in memory costs a promise.
 */
export class Call implements Attempted {
  /** Finds the end of the request's body; undefined when there is none. */
  readonly reader: BodyReader | undefined;
  readonly upload: RequestBody;
  readonly #means: Means;
  readonly #client: Client;
  readonly #checked: Checked;
  readonly #uses: Uses;
  /** Where the body may hold a placeholder at a place of its own. */
  readonly #search: Search | undefined;
  readonly #attempt: Attempt;
  readonly #judge: Judge;
  readonly #reply: Reply;
  readonly #account: Account;
  /** The answer has come whole. */
  #whole = false;
  /** The upstream has cut it off. */
  #cut = false;
  /** The source is being asked after a refusal. */
  #asking = false;
  #retried = false;
  #isSwitched = false;
  #over = false;

  constructor(means: Means, client: Client, checked: Checked) {
    const { head, rule, target } = checked;
    this.#means = means;
    this.#client = client;
    this.#checked = checked;
    this.#uses = new Uses(rule, { fields: head.fields, target });
    const isSearched = this.#uses.searches(head.fields);
    this.reader = requestBody(head.control, isSearched ? undefined : (lines) => trailerLines(lines, twinsOf(this.#uses.list)));
    this.upload = new RequestBody(this.reader !== undefined, (on) => client.flow(on));
    this.#search = isSearched && this.upload.isPresent ? new Search(this.#uses, this.upload) : undefined;
    this.#attempt = new Attempt(means, checked, this.upload);
    this.#judge = new Judge(this.#uses);
    this.#reply = new Reply(client, head);
    this.#account = new Account(means, checked, this.#uses);
  }

  start(): void {
    const [first] = this.#checked.rule.parts;
    this.#means.turn.begin();
    if (this.#uses.begin(this.#means.limits.calls)) {
      this.#means.metrics.limit('calls');
      return this.#fail(new Failure('CallLimitReached'));
    }
    if (first.spec === undefined) return this.#fail(new Failure('CredentialDeleted'));
    const denial = this.#denial();
    if (denial !== undefined) return this.#fail(denial);
    if (this.#search === undefined) this.#ask();
    else this.#gather(this.#search);
  }

  #denial(): Failure | undefined {
    const { head, target, webSocket } = this.#checked;
    const denial = this.#uses.denial({ method: head.method, target, upgrades: webSocket !== undefined });
    return denial === undefined ? this.#uses.clash() : new Failure('CallNotAllowed', denial);
  }

  #gather(search: Search): void {
    search.begin(this.#checked.head, (problem) => {
      const failure = problem ?? this.#denial(); // the body may hold another credential's placeholder
      if (failure === undefined) this.#ask();
      else this.#fail(failure);
    });
    if (!this.#over) this.#reply.proceed();
  }

  #ask(): void {
    if (this.#uses.list.length === 0) return this.#send(false);
    try {
      const late = this.#uses.fetch();
      if (late === undefined) return this.#granted();
      late.then(
        () => this.#granted(),
        (error: unknown) => this.#fail(failureOf(error, 'SourceUnreachable')),
      );
    } catch (error) {
      this.#fail(failureOf(error, 'SourceUnreachable'));
    }
  }

  #granted(): void {
    if (this.#over) return;
    this.#uses.carry();
    this.#send(false);
  }

  #send(fresh: boolean): void {
    try {
      const head = outgoingOf(this.#checked, {
        uses: this.#uses.list,
        continued: this.#reply.continued,
        scrubs: this.#uses.scrubs,
        length: this.#search?.mend(),
      });
      this.#attempt.send(head, fresh, this);
    } catch (error) {
      this.#fail(failureOf(error, 'SecretValueInvalid'));
    }
  }

  undialled(failure: Failure): void {
    this.#fail(failure);
  }

  drained(): void {
    if (this.#isSwitched) this.#client.flow(true);
    else this.upload.drained();
  }

  switches(head: ResponseHead): boolean {
    const { webSocket } = this.#checked;
    return webSocket !== undefined && isSwitched(head, webSocket);
  }

  /** A WebSocket has begun: from now on it is bytes both ways. */
  #switch(): void {
    this.#isSwitched = true;
    this.#client.through((bytes) => {
      const { connection } = this.#attempt;
      connection?.write(bytes);
      if (connection?.full === true) this.#client.flow(false);
    });
  }

  informed(head: ResponseHead, raw: Buffer): void {
    // Whatever hints it holds might hold the value too, and are not needed.
    if (!this.#uses.scrubs) this.#reply.inform(head, raw);
    else if (head.status === 100) this.#reply.inform({ ...head, fields: [] }, Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
  }

  answered(head: ResponseHead, raw: Buffer, last: boolean): void {
    this.#attempt.arrived();
    if (last) this.#come();
    const judged = this.#judge.answered(head, raw, last);
    if (judged !== undefined) this.#judged(judged);
  }

  more(piece: Buffer, last: boolean): void {
    if (last) this.#come();
    if (!this.#judge.holds(piece)) return this.#wrote(this.#reply.write(piece));
    const judged = this.#asking ? undefined : this.#judge.look(last);
    if (judged !== undefined) this.#judged(judged);
  }

  /** The connection is somebody else's from now on. */
  #come(): void {
    this.#whole = true;
    this.#attempt.connection = undefined;
    this.upload.detach();
  }

  #judged(judged: Judged): void {
    const { head, pieces, refused } = judged;
    if (refused) this.#uses.count('refusals');
    if (refused && !this.#account.replayed) return this.#refused(judged);
    if (this.#uses.carries) this.#uses.report(head);
    this.#relay(head, pieces);
  }

  /** The source is asked for something newer; the answer waits meanwhile, and passes when there is nothing or the body is gone. */
  #refused(judged: Judged): void {
    const newer = this.#uses.newer();
    this.#judge.keep(judged);
    const passes = (): void => {
      if (this.#over) return;
      this.#asking = false;
      this.#uses.report(judged.head);
      this.#resume();
      this.#relay(judged.head, this.#judge.release());
    };
    if (!this.upload.replayable) return passes(); // the next call has what is newer
    this.#asking = true;
    this.upload.detach();
    this.#attempt.connection?.pause();
    newer.then((isThere) => (isThere ? this.#replay() : passes()), passes);
  }

  #resume(): void {
    const { connection } = this.#attempt;
    if (connection === undefined) return;
    connection.resume();
    this.upload.resume(connection);
  }

  #replay(): void {
    if (this.#over) return;
    const { connection } = this.#attempt;
    if (connection !== undefined && this.upload.ended) discard(connection);
    else connection?.destroy();
    this.#attempt.connection = undefined;
    this.#asking = false;
    this.#account.replayed = true;
    this.#uses.count('replays');
    this.#uses.carry();
    this.#judge.reset();
    this.#whole = false;
    this.#send(false);
  }

  #relay(head: ResponseHead, [first = Buffer.alloc(0), ...rest]: readonly Buffer[]): void {
    if (this.#cut) return this.#fail(new Failure('UpstreamReset'));
    this.#judge.release();
    try {
      if (this.#uses.scrubs) this.#reply.scrub(this.#scrubbed(head));
    } catch (error) {
      return this.#fail(error);
    }
    let more = this.#reply.begin(head, first, this.#isUnasked());
    this.#account.tell(head.status, undefined, this.#attempt);
    for (const piece of rest) more = this.#reply.write(piece) && more;
    if (head.status === 101) this.#switch();
    this.#wrote(more);
  }

  #scrubbed(head: ResponseHead): Scrubbed {
    return new Scrubbed(head, this.#checked.head.method, wantedOf(this.#uses.list), {
      write: (bytes) => this.#client.write(bytes),
      resume: () => this.#attempt.connection?.resume(),
      broken: (problem) => {
        if (problem !== undefined && !this.#over) this.#means.metrics.error(problem.reason);
        this.abort(undefined);
      },
      replaced: (count) => scrubbedOf(this.#uses.list, count),
      unpacking: this.#means.unpacking,
    });
  }

  /** Reads no faster than the client takes it. */
  #wrote(more: boolean): void {
    if (this.#whole) this.#reply.whole(() => this.#finish());
    else if (!more) this.#attempt.connection?.pause();
  }

  clientDrained(): void {
    if (this.#asking) return;
    if (this.#reply.drained()) this.#attempt.connection?.resume();
  }

  #finish(): void {
    this.#end();
    this.upload.discard();
    this.#reply.end();
  }

  /** The client announced a body, and waits for a word that has not come. */
  #isUnasked(): boolean {
    return this.#checked.head.control.expect !== undefined && !this.#reply.continued && !this.upload.begun;
  }

  lost(error: Error | undefined, untaken: boolean): void {
    const { connection } = this.#attempt;
    this.#attempt.connection = undefined;
    if (this.#asking) return void (this.#cut = true);
    if (this.#reply.begun) {
      this.#end();
      return this.#client.destroy();
    }
    const unanswered = !this.#judge.hasBegun && !(error instanceof Malformed);
    if (this.#retried || !unanswered || !this.#attempt.mayRepeat(connection?.reused ?? false, untaken)) {
      return this.#fail(
        new Failure('UpstreamReset', error instanceof Malformed ? `the upstream's answer is not HTTP/1.1: ${error.message}` : undefined),
      );
    }
    this.#retried = true;
    this.#send(true);
  }

  /** The client's request cannot go on: what it still sends is of no use, and its connection ends. */
  abort(error: unknown): void {
    if (this.#over) return;
    if (!this.#reply.begun) return this.#fail(error, true);
    this.#attempt.end();
    this.#end();
    this.#client.destroy();
  }

  #fail(error: unknown, close = this.#isUnasked() || closes(this.#checked.head.control)): void {
    if (this.#over) return;
    const answer = answerFor(error, 'RequestInvalid');
    this.#means.metrics.error(answer.reason);
    this.#account.tell(answer.status, answer.reason, this.#attempt);
    this.#attempt.end();
    this.#end();
    this.upload.discard();
    this.#client.fail(answer, close);
  }

  /** The client is gone: whatever still runs for this call ends. */
  closed(): void {
    if (this.#over) return;
    this.#account.tell(0, undefined, this.#attempt);
    if (this.#isSwitched) this.#attempt.finish();
    else this.#attempt.end();
    this.#end();
    this.upload.forget();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#reply.drop();
    this.#uses.end();
    this.#means.turn.end();
  }
}
