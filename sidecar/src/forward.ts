import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Reason } from '@rekey/lib/reason.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { failureOf, sendAnswer } from './answer.ts';
import type { Audit } from './audit.ts';
import { RequestBody } from './body.ts';
import type { Grant } from './credential.ts';
import type { Checked } from './head.ts';
import type { Found } from './inject.ts';
import { find, twins } from './inject.ts';
import type { Metrics } from './metrics.ts';
import { outgoingOf } from './outgoing.ts';
import { judge } from './refused.ts';
import { discard, relay } from './relay.ts';
import type { Upstream } from './upstream.ts';
import { isLost, isVerified, upstreamFailure } from './upstream.ts';

/** What all calls share. */
export interface Means {
  upstream: Upstream;
  audit: Audit;
  metrics: Metrics;
}

/** Methods whose repetition does no harm (RFC 9110 section 9.2.2). */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/**
 * One call: finds the placeholder, fetches the value, sends, looks for a refusal, replays once with a newer value, and hands the
 * answer on. Each step goes on by a callback; only a value that is not in memory costs a promise.
 */
export class Call {
  readonly #means: Means;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #checked: Checked;
  readonly #found: Found | undefined;
  readonly #body: RequestBody;
  readonly #began = performance.now();
  #current: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #grant: Grant | undefined;
  #carried: Grant | undefined;
  /** A request has gone to a verified upstream. */
  #reached = false;
  /** The source is being asked after a refusal. */
  #asking = false;
  #replayed = false;
  #retried = false;
  #continued = false;
  #told = false;
  #over = false;

  constructor(means: Means, request: IncomingMessage, response: ServerResponse, checked: Checked) {
    const { rule, target, chunked, length } = checked;
    this.#means = means;
    this.#request = request;
    this.#response = response;
    this.#checked = checked;
    this.#found = find({ fields: request.rawHeaders, target }, rule.spec?.inject ?? [], rule.placeholders);
    this.#body = new RequestBody(request, chunked || (length !== undefined && length !== '0'), twins(this.#found));
  }

  start(): void {
    const { credential, spec } = this.#checked.rule;
    this.#request.on('error', () => {}); // the response's close tells
    this.#response.on('error', () => {});
    this.#response.once('close', () => this.#closed());
    if (spec === undefined) return this.#fail(new Failure('CredentialDeleted'));
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
    let request: ClientRequest;
    try {
      const { value } = this.#grant ?? {};
      const outgoing = outgoingOf(this.#request, this.#checked, { found: this.#found, value, continued: this.#continued });
      request = this.#means.upstream.send(outgoing, fresh);
    } catch {
      // Node refuses to write a head that the parser let pass, or the value itself.
      return this.#fail(new Failure(this.#grant === undefined ? 'RequestInvalid' : 'SecretValueInvalid'));
    }
    this.#current = request;
    this.#answer = undefined;
    request.on('error', (error) => this.#lost(request, error));
    request.on('response', (answer) => this.#answered(request, answer));
    request.on('continue', () => this.#continue(request));
    this.#body.attach(request);
  }

  #continue(request: ClientRequest): void {
    if (request !== this.#current || this.#continued || this.#response.headersSent) return;
    this.#continued = true;
    this.#response.writeContinue();
  }

  /** The request failed. Once there is an answer that no longer matters: an upstream may answer and close before it has read a body. */
  #lost(request: ClientRequest, error: unknown): void {
    if (request !== this.#current || this.#over || this.#answer !== undefined) return;
    const again = request.reusedSocket && isLost(error) && idempotent.has(this.#request.method ?? '') && this.#body.replayable;
    if (!again || this.#retried) return this.#fail(upstreamFailure(error, request));
    this.#retried = true;
    this.#send(true);
  }

  #answered(request: ClientRequest, answer: IncomingMessage): void {
    if (request !== this.#current || this.#over) return void answer.destroy();
    this.#answer = answer;
    this.#reached = true;
    answer.on('error', () => this.#truncated(answer));
    const grant = this.#grant;
    if (grant === undefined) return this.#relay(answer, [], false);
    this.#checked.rule.credential.answered(grant.version, answer.rawHeaders);
    judge(answer, this.#checked.rule.spec?.refused ?? [], (refused, read, ended) => {
      if (answer !== this.#answer || this.#over) return;
      if (refused && !this.#replayed) return this.#refused(grant, answer, () => this.#relay(answer, read, ended));
      this.#report(grant, answer, refused);
      this.#relay(answer, read, ended);
    });
  }

  #truncated(answer: IncomingMessage): void {
    if (answer !== this.#answer || this.#over || this.#asking) return;
    if (this.#response.headersSent) this.#response.destroy();
    else this.#fail(new Failure('UpstreamReset'));
  }

  /** The source is asked for something newer; the answer waits meanwhile, and passes when there is nothing or the body is gone. */
  #refused(grant: Grant, answer: IncomingMessage, pass: () => void): void {
    const newer = this.#checked.rule.credential.grantAfterRefusal(grant.version);
    const passes = (): void => {
      if (this.#over) return;
      this.#asking = false;
      this.#report(grant, answer, true);
      pass();
    };
    if (!this.#body.replayable) {
      newer.catch(() => {}); // the next call tells
      return passes();
    }
    this.#asking = true;
    this.#body.detach();
    newer.then((newest) => {
      if (newest.version === grant.version) passes();
      else this.#replay(newest, answer);
    }, passes);
  }

  #replay(grant: Grant, refused: IncomingMessage): void {
    if (this.#over) return;
    this.#asking = false;
    this.#replayed = true;
    this.#checked.rule.counters.replays += 1;
    this.#carry(grant);
    discard(refused);
    this.#send(false);
  }

  #report({ version }: Grant, { statusCode = 0 }: IncomingMessage, refused: boolean): void {
    // A broken upstream says nothing about the credential.
    if (refused || statusCode < 500) this.#checked.rule.credential.report(version, !refused);
  }

  #relay(answer: IncomingMessage, read: readonly Buffer[], ended: boolean): void {
    if (!ended && answer.destroyed && !answer.complete) return this.#fail(new Failure('UpstreamReset'));
    try {
      relay(answer, this.#response, read, ended);
    } catch {
      return this.#fail(new Failure('UpstreamReset', 'the upstream answered something that is not HTTP/1.1'));
    }
    this.#tell(answer.statusCode ?? 0, undefined);
  }

  #fail(failure: Failure): void {
    if (this.#over) return;
    this.#reached ||= isVerified(this.#current);
    const unasked = this.#request.headers.expect !== undefined && !this.#continued;
    this.#means.metrics.error(failure.reason);
    this.#tell(sendAnswer(this.#response, failure, unasked), failure.reason);
    this.#current?.destroy();
    this.#current = undefined;
    this.#body.discard();
  }

  /** Client gone, or all said: whatever still runs for this call ends. */
  #closed(): void {
    this.#over = true;
    this.#carry(undefined);
    this.#reached ||= isVerified(this.#current);
    this.#tell(0, undefined);
    if (!this.#response.writableFinished || !this.#body.ended) this.#current?.destroy();
    if (this.#response.writableFinished) this.#body.discard();
  }

  /** One line and one count a call, when its answer begins: a stream may last for hours. */
  #tell(status: number, reason: Reason | undefined): void {
    if (this.#told) return;
    this.#told = true;
    const { rule, target } = this.#checked;
    const { counters, host, credential } = rule;
    const milliseconds = performance.now() - this.#began;
    const grant = this.#grant;
    counters.add(status, milliseconds / 1000);
    if (grant !== undefined) counters.version = grant.version;
    this.#means.audit.add({
      credential: credential.name,
      version: grant?.version,
      host,
      method: this.#request.method ?? '',
      target,
      status,
      latencyMilliseconds: Math.round(milliseconds * 10) / 10,
      cache: grant?.cache ?? 'none',
      injected: grant !== undefined && this.#reached,
      replayed: this.#replayed,
      reason,
      traceparent: this.#request.headers['traceparent'] as string | undefined,
    });
  }
}
