import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { answerFor, failureOf } from './answer.ts';
import { Attempt } from './attempt.ts';
import type { Attempted } from './attempt.ts';
import type { Audit } from './audit.ts';
import { RequestBody } from './body.ts';
import { discard } from './discard.ts';
import type { Checked } from './head.ts';
import { trailerLines } from './hop.ts';
import type { BodyReader } from './http/body-reader.ts';
import { requestBody } from './http/body-reader.ts';
import { closes } from './http/control.ts';
import { Malformed } from './http/malformed.ts';
import type { ResponseHead } from './http/response-head.ts';
import { mended, mostRead as mostSearched, objectionTo } from './json/field.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { outgoingOf, twinsOf } from './outgoing.ts';
import { mostRead } from './refused.ts';
import type { Client } from './relay.ts';
import { Reply } from './relay.ts';
import { Scrubbed } from './scrub/scrubbed.ts';
import { scrubbedOf, wantedOf } from './scrub/wanted.ts';
import type { Due, Turn } from './turn.ts';
import type { Upstream } from './upstream.ts';
import type { Outcome } from './use.ts';
import { useOf } from './use.ts';
import { Uses } from './uses.ts';
import { isSwitched } from './web-socket.ts';

/** What all calls share. */
export interface Means {
  upstream: Upstream;
  audit: Audit;
  metrics: Metrics;
  limits: Limits;
  turn: Turn;
}

/** What came of an answer while it is not decided whether it goes on: copies, since a connection's bytes are good for the moment only. */
interface Held {
  pieces: Buffer[];
  /** Of the body. */
  bytes: number;
}

/**
 * One call: finds the placeholder, fetches the value, sends, looks for a refusal, replays once with a newer value, and hands the
 * answer on. Each step goes on by a callback; only a value that is not in memory costs a promise.
 */
export class Call implements Attempted, Due {
  /** Finds the end of the request's body; undefined when there is none. */
  readonly reader: BodyReader | undefined;
  readonly upload: RequestBody;
  readonly #means: Means;
  readonly #client: Client;
  readonly #checked: Checked;
  readonly #uses: Uses;
  /** The body may hold a placeholder at a place of its own. */
  readonly #isSearched: boolean;
  /** The whole body, when it may hold a placeholder. */
  #body: Buffer | undefined;
  readonly #began = performance.now();
  readonly #attempt: Attempt;
  readonly #reply: Reply;
  #answer: ResponseHead | undefined;
  #held: Held | undefined;
  /** The answer has come whole. */
  #whole = false;
  /** The upstream has cut it off. */
  #cut = false;
  /** The source is being asked after a refusal. */
  #asking = false;
  #replayed = false;
  #retried = false;
  #outcome: Outcome | undefined;
  #isSwitched = false;
  #over = false;

  constructor(means: Means, client: Client, checked: Checked) {
    const { head, rule, target } = checked;
    this.#means = means;
    this.#client = client;
    this.#checked = checked;
    this.#uses = new Uses(rule, { fields: head.fields, target });
    this.#isSearched = this.#uses.searches(head.fields);
    this.reader = requestBody(head.control, this.#isSearched ? undefined : (lines) => trailerLines(lines, twinsOf(this.#uses.list)));
    this.upload = new RequestBody(this.reader !== undefined, (on) => client.flow(on));
    this.#attempt = new Attempt(means, checked, this.upload);
    this.#reply = new Reply(client, head);
  }

  start(): void {
    const [first] = this.#checked.rule.parts;
    this.#means.turn.calls += 1;
    if (this.#uses.begin(this.#means.limits.calls)) {
      this.#means.metrics.limit('calls');
      return this.#fail(new Failure('CallLimitReached'));
    }
    if (first.spec === undefined) return this.#fail(new Failure('CredentialDeleted'));
    const denial = this.#denial();
    if (denial !== undefined) return this.#fail(denial);
    if (this.#isSearched && this.upload.isPresent) return this.#gather();
    this.#ask();
  }

  #denial(): Failure | undefined {
    const { head, target, webSocket } = this.#checked;
    const denial = this.#uses.denial({ method: head.method, target, upgrades: webSocket !== undefined });
    return denial === undefined ? this.#uses.clash() : new Failure('CallNotAllowed', denial);
  }

  #gather(): void {
    const { head } = this.#checked;
    const objection = objectionTo(head.fields, head.control.length);
    if (objection !== undefined) return this.#fail(objection);
    this.upload.gather(mostSearched, (whole) => {
      if (whole instanceof Failure) return this.#fail(whole);
      try {
        this.#uses.search(whole);
      } catch (error) {
        return this.#fail(error);
      }
      this.#body = whole;
      const denial = this.#denial(); // the body may hold another credential's placeholder
      if (denial === undefined) this.#ask();
      else this.#fail(denial);
    });
    this.#reply.proceed();
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
        length: this.#body && this.#mend(this.#body),
      });
      this.#attempt.send(head, fresh, this);
    } catch (error) {
      this.#fail(failureOf(error, 'SecretValueInvalid'));
    }
  }

  /** The length of the body that is sent. */
  #mend(body: Buffer): number {
    const writings = this.#uses.list.flatMap(({ found, grant }) =>
      grant === undefined ? [] : found.json.map((edit) => ({ edit, value: grant.value })),
    );
    const pieces = mended(body, writings);
    this.upload.replace(pieces);
    return pieces.reduce((sum, { length }) => sum + length, 0);
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
    this.#answer = head;
    if (last) this.#come();
    if (!this.#uses.carries) return this.#relay(head, [raw]);
    const verdict = this.#uses.verdict(head);
    if (verdict === 'accepted') return this.#judged(head, [raw], false);
    if (verdict === 'refused') return this.#judged(head, [raw], this.#uses.decide(head, undefined));
    this.#held = { pieces: [Buffer.from(raw)], bytes: raw.length - head.size };
    this.#decide(head, this.#held);
  }

  more(piece: Buffer, last: boolean): void {
    if (last) this.#come();
    const held = this.#held;
    if (held === undefined) return this.#wrote(this.#reply.write(piece));
    held.pieces.push(Buffer.from(piece));
    held.bytes += piece.length;
    if (!this.#asking && this.#answer !== undefined) this.#decide(this.#answer, held);
  }

  /** The connection is somebody else's from now on. */
  #come(): void {
    this.#whole = true;
    this.#attempt.connection = undefined;
    this.upload.detach();
  }

  /** The body is read to its end, or until there is too much of it to say that the credential is refused. */
  #decide(head: ResponseHead, { pieces, bytes }: Held): void {
    if (!this.#whole && bytes <= mostRead) return;
    const [first = Buffer.alloc(0), ...rest] = pieces;
    const body = [first.subarray(head.size), ...rest];
    this.#judged(head, pieces, this.#uses.decide(head, this.#whole ? body : undefined));
  }

  #judged(head: ResponseHead, pieces: Buffer[], refused: boolean): void {
    if (refused) this.#uses.count('refusals');
    if (refused && !this.#replayed)
      return this.#refused(head, this.#held ?? { pieces: pieces.map((piece) => Buffer.from(piece)), bytes: 0 });
    this.#uses.report(head);
    this.#relay(head, pieces);
  }

  /** The source is asked for something newer; the answer waits meanwhile, and passes when there is nothing or the body is gone. */
  #refused(head: ResponseHead, held: Held): void {
    const newer = this.#uses.newer();
    const passes = (): void => {
      if (this.#over) return;
      this.#asking = false;
      this.#uses.report(head);
      this.#resume();
      this.#relay(head, held.pieces);
    };
    if (!this.upload.replayable) return passes(); // the next call has what is newer
    this.#held = held;
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
    this.#replayed = true;
    this.#uses.count('replays');
    this.#uses.carry();
    this.#held = undefined;
    this.#answer = undefined;
    this.#whole = false;
    this.#send(false);
  }

  #relay(head: ResponseHead, [first = Buffer.alloc(0), ...rest]: readonly Buffer[]): void {
    if (this.#cut) return this.#fail(new Failure('UpstreamReset'));
    this.#held = undefined;
    try {
      if (this.#uses.scrubs) this.#reply.scrub(this.#scrubbed(head));
    } catch (error) {
      return this.#fail(error);
    }
    let more = this.#reply.begin(head, first, this.#isUnasked());
    this.#tell(head.status, undefined);
    for (const piece of rest) more = this.#reply.write(piece) && more;
    if (head.status === 101) this.#switch();
    this.#wrote(more);
  }

  #scrubbed(head: ResponseHead): Scrubbed {
    return new Scrubbed(head, this.#checked.head.method, wantedOf(this.#uses.list), {
      write: (bytes) => this.#client.write(bytes),
      resume: () => this.#attempt.connection?.resume(),
      broken: () => this.abort(undefined),
      replaced: (count) => scrubbedOf(this.#uses.list, count),
    });
  }

  /** Reads no faster than the client takes it. */
  #wrote(more: boolean): void {
    if (this.#whole) this.#reply.whole(() => this.#finish());
    else if (!more) this.#attempt.connection?.pause();
  }

  clientDrained(): void {
    if (this.#asking) return;
    this.#reply.drained();
    this.#attempt.connection?.resume();
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
    const unanswered = this.#answer === undefined && !(error instanceof Malformed);
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
    this.#tell(answer.status, answer.reason);
    this.#attempt.end();
    this.#end();
    this.upload.discard();
    this.#client.fail(answer, close);
  }

  /** The client is gone: whatever still runs for this call ends. */
  closed(): void {
    if (this.#over) return;
    this.#tell(0, undefined);
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
    this.#means.turn.calls -= 1;
  }

  /** One line and one count a call, when its answer begins: a stream may last for hours. */
  #tell(status: number, reason: Reason | undefined): void {
    if (this.#outcome !== undefined) return;
    this.#attempt.arrived();
    const { reached, waited } = this.#attempt;
    const milliseconds = performance.now() - this.#began;
    for (const { counters } of this.#uses.parts) counters.add(status, milliseconds / 1000, waited / 1000);
    for (const { part, grant } of this.#uses.list) if (grant !== undefined) part.counters.version = grant.version;
    this.#outcome = { status, reason, milliseconds, reached, replayed: this.#replayed };
    this.#means.turn.afterWrites(this);
  }

  /** The answer is out: nobody waits for its lines, one for each credential. */
  endTurn(): void {
    const { list, parts } = this.#uses;
    if (this.#outcome === undefined) return;
    for (const { credential } of parts) {
      const used = list.find(({ part }) => part.credential === credential);
      this.#means.audit.add(useOf(this.#checked, this.#outcome, credential.name, used?.grant));
    }
  }
}
