import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { denialOf } from './allow.ts';
import { answerFor, failureOf } from './answer.ts';
import { Attempt } from './attempt.ts';
import type { Attempted } from './attempt.ts';
import type { Audit } from './audit.ts';
import { RequestBody } from './body.ts';
import type { Grant } from './credential.ts';
import { discard } from './discard.ts';
import type { Checked } from './head.ts';
import { trailerLines } from './hop.ts';
import type { BodyReader } from './http/body-reader.ts';
import { requestBody } from './http/body-reader.ts';
import { closes } from './http/control.ts';
import { Malformed } from './http/malformed.ts';
import type { ResponseHead } from './http/response-head.ts';
import type { Found } from './inject.ts';
import { find, twins, withBody } from './inject.ts';
import { editsOf, isJSON, mended, mostRead as mostSearched, objectionTo } from './json/field.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { outgoingOf } from './outgoing.ts';
import { isRefusal, mostRead, verdictOf } from './refused.ts';
import type { Client } from './relay.ts';
import { Reply } from './relay.ts';
import { needlesOf } from './scrub/needles.ts';
import { Scrubbed } from './scrub/scrubbed.ts';
import type { Due, Turn } from './turn.ts';
import type { Upstream } from './upstream.ts';
import type { Outcome } from './use.ts';
import { useOf } from './use.ts';
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
  #found: Found | undefined;
  /** The whole body, when it may hold the placeholder. */
  #body: Buffer | undefined;
  readonly #began = performance.now();
  readonly #attempt: Attempt;
  readonly #reply: Reply;
  #grant: Grant | undefined;
  /** The one of `grant`, until the call is over. */
  #carried: Grant | undefined;
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
    this.#found = find({ fields: head.fields, target }, rule.spec?.inject ?? [], rule.placeholders);
    this.reader = requestBody(head.control, this.#isSearched ? undefined : (lines) => trailerLines(lines, twins(this.#found)));
    this.upload = new RequestBody(this.reader !== undefined, (on) => client.flow(on));
    this.#attempt = new Attempt(means, checked, this.upload);
    this.#reply = new Reply(client, head);
  }

  start(): void {
    const { head, target, rule, webSocket } = this.#checked;
    const { spec, counters } = rule;
    counters.active += 1;
    if (counters.active > this.#means.limits.calls) {
      this.#means.metrics.limit('calls');
      return this.#fail(new Failure('CallLimitReached'));
    }
    if (spec === undefined) return this.#fail(new Failure('CredentialDeleted'));
    const denial = denialOf(spec, { method: head.method, target, upgrades: webSocket !== undefined });
    if (denial !== undefined) return this.#fail(new Failure('CallNotAllowed', denial));
    if (this.#isSearched && this.upload.isPresent) return this.#gather();
    this.#ask();
  }

  /** Whether the body may hold the placeholder at a place of its own. */
  get #isSearched(): boolean {
    const { head, rule } = this.#checked;
    return rule.jsonFields.length > 0 && isJSON(head.fields);
  }

  #gather(): void {
    const { head, rule } = this.#checked;
    const objection = objectionTo(head.fields, head.control.length);
    if (objection !== undefined) return this.#fail(objection);
    this.upload.gather(mostSearched, (whole) => {
      if (whole instanceof Failure) return this.#fail(whole);
      try {
        this.#found = withBody(this.#found, editsOf(whole, rule.jsonFields, rule.placeholders));
      } catch (error) {
        return this.#fail(error);
      }
      this.#body = whole;
      this.#ask();
    });
    this.#reply.proceed();
  }

  #ask(): void {
    const { credential } = this.#checked.rule;
    if (this.#found === undefined) return this.#send(false);
    try {
      const grant = credential.grant();
      if (!(grant instanceof Promise)) return this.#granted(grant);
      grant.then(
        (late) => this.#granted(late),
        (error: unknown) => this.#fail(failureOf(error, 'SourceUnreachable')),
      );
    } catch (error) {
      this.#fail(failureOf(error, 'SourceUnreachable'));
    }
  }

  #granted(grant: Grant): void {
    if (this.#over) return;
    this.#carry(grant);
    this.#send(false);
  }

  /** From now on the call carries this value; with undefined, none any more. */
  #carry(grant: Grant | undefined): void {
    const { credential } = this.#checked.rule;
    if (grant !== undefined) credential.began(grant.version);
    if (this.#carried !== undefined) credential.ended(this.#carried.version);
    this.#carried = grant;
    this.#grant = grant ?? this.#grant;
  }

  #send(fresh: boolean): void {
    try {
      const head = outgoingOf(this.#checked, {
        found: this.#found,
        value: this.#grant?.value,
        continued: this.#reply.continued,
        scrubs: this.#scrubs,
        length: this.#body && this.#mend(this.#body),
      });
      this.#attempt.send(head, fresh, this);
    } catch (error) {
      this.#fail(failureOf(error, 'SecretValueInvalid'));
    }
  }

  /** The length of the body that is sent. */
  #mend(body: Buffer): number {
    const value = this.#grant?.value;
    const edits = this.#found?.json ?? [];
    const pieces =
      value === undefined
        ? [body]
        : mended(
            body,
            edits.map((edit) => ({ edit, value })),
          );
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
    if (!this.#scrubs) this.#reply.inform(head, raw);
    else if (head.status === 100) this.#reply.inform({ ...head, fields: [] }, Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
  }

  answered(head: ResponseHead, raw: Buffer, last: boolean): void {
    this.#attempt.arrived();
    this.#answer = head;
    if (last) this.#come();
    const grant = this.#grant;
    if (grant === undefined) return this.#relay(head, [raw]);
    this.#checked.rule.credential.answered(grant.version, head.fields);
    const verdict = verdictOf(head, this.#checked.rule.spec?.refused ?? []);
    if (verdict === 'accepted') return this.#judged(grant, head, [raw], false);
    if (verdict === 'refused') return this.#judged(grant, head, [raw], true);
    this.#held = { pieces: [Buffer.from(raw)], bytes: raw.length - head.size };
    this.#decide(grant, head, this.#held);
  }

  more(piece: Buffer, last: boolean): void {
    if (last) this.#come();
    const held = this.#held;
    if (held === undefined) return this.#wrote(this.#reply.write(piece));
    held.pieces.push(Buffer.from(piece));
    held.bytes += piece.length;
    if (!this.#asking && this.#grant !== undefined && this.#answer !== undefined) this.#decide(this.#grant, this.#answer, held);
  }

  /** The connection is somebody else's from now on. */
  #come(): void {
    this.#whole = true;
    this.#attempt.connection = undefined;
    this.upload.detach();
  }

  /** The body is read to its end, or until there is too much of it to say that the credential is refused. */
  #decide(grant: Grant, head: ResponseHead, { pieces, bytes }: Held): void {
    if (!this.#whole && bytes <= mostRead) return;
    const [first = Buffer.alloc(0), ...rest] = pieces;
    const body = [first.subarray(head.size), ...rest];
    this.#judged(grant, head, pieces, this.#whole && isRefusal(head, body, this.#checked.rule.spec?.refused ?? []));
  }

  #judged(grant: Grant, head: ResponseHead, pieces: Buffer[], refused: boolean): void {
    if (refused) this.#checked.rule.counters.refusals += 1;
    if (refused && !this.#replayed)
      return this.#refused(grant, head, this.#held ?? { pieces: pieces.map((piece) => Buffer.from(piece)), bytes: 0 });
    this.#report(grant, head, refused);
    this.#relay(head, pieces);
  }

  /** The source is asked for something newer; the answer waits meanwhile, and passes when there is nothing or the body is gone. */
  #refused(grant: Grant, head: ResponseHead, held: Held): void {
    const newer = this.#checked.rule.credential.grantAfterRefusal(grant.version);
    const passes = (): void => {
      if (this.#over) return;
      this.#asking = false;
      this.#report(grant, head, true);
      this.#resume();
      this.#relay(head, held.pieces);
    };
    if (!this.upload.replayable) {
      newer.catch(() => {}); // the next call tells
      return passes();
    }
    this.#held = held;
    this.#asking = true;
    this.upload.detach();
    this.#attempt.connection?.pause();
    newer.then((newest) => {
      if (newest.version === grant.version) passes();
      else this.#replay(newest);
    }, passes);
  }

  #resume(): void {
    const { connection } = this.#attempt;
    if (connection === undefined) return;
    connection.resume();
    this.upload.resume(connection);
  }

  #replay(grant: Grant): void {
    if (this.#over) return;
    const { connection } = this.#attempt;
    if (connection !== undefined && this.upload.ended) discard(connection);
    else connection?.destroy();
    this.#attempt.connection = undefined;
    this.#asking = false;
    this.#replayed = true;
    this.#checked.rule.counters.replays += 1;
    this.#carry(grant);
    this.#held = undefined;
    this.#answer = undefined;
    this.#whole = false;
    this.#send(false);
  }

  #report({ version }: Grant, { status }: ResponseHead, refused: boolean): void {
    // A broken upstream says nothing about the credential.
    if (refused || status < 500) this.#checked.rule.credential.report(version, !refused);
  }

  #relay(head: ResponseHead, [first = Buffer.alloc(0), ...rest]: readonly Buffer[]): void {
    if (this.#cut) return this.#fail(new Failure('UpstreamReset'));
    this.#held = undefined;
    try {
      if (this.#scrubs) this.#reply.scrub(this.#scrubbed(head));
    } catch (error) {
      return this.#fail(error);
    }
    let more = this.#reply.begin(head, first, this.#isUnasked());
    this.#tell(head.status, undefined);
    for (const piece of rest) more = this.#reply.write(piece) && more;
    if (head.status === 101) this.#switch();
    this.#wrote(more);
  }

  /** The value that the call carries is not to come back with the answer. */
  get #scrubs(): boolean {
    return this.#grant !== undefined && this.#checked.rule.spec?.scrubResponses === true;
  }

  #scrubbed(head: ResponseHead): Scrubbed {
    const { rule, head: request } = this.#checked;
    const needles = this.#grant === undefined ? [] : needlesOf(this.#grant.value);
    return new Scrubbed(
      head,
      request.method,
      { needles, placeholder: rule.placeholders[0] ?? '' },
      {
        write: (bytes) => this.#client.write(bytes),
        resume: () => this.#attempt.connection?.resume(),
        broken: () => this.abort(undefined),
        replaced: (count) => (rule.counters.scrubs += count),
      },
    );
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
    this.#carry(undefined);
    this.#checked.rule.counters.active -= 1;
  }

  /** One line and one count a call, when its answer begins: a stream may last for hours. */
  #tell(status: number, reason: Reason | undefined): void {
    if (this.#outcome !== undefined) return;
    const { counters } = this.#checked.rule;
    this.#attempt.arrived();
    const { reached, waited } = this.#attempt;
    const milliseconds = performance.now() - this.#began;
    const grant = this.#grant;
    counters.add(status, milliseconds / 1000, waited / 1000);
    if (grant !== undefined) counters.version = grant.version;
    this.#outcome = { status, reason, milliseconds, grant, reached, replayed: this.#replayed };
    this.#means.turn.afterWrites(this);
  }

  /** The answer is out: nobody waits for its line. */
  endTurn(): void {
    if (this.#outcome !== undefined) this.#means.audit.add(useOf(this.#checked, this.#outcome));
  }
}
