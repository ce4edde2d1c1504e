import type { Use } from '@rekey/crds/binding.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { hasVersions } from '@rekey/crds/source-kind.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { Acceptance } from './acceptance.ts';
import { accessOf, announcedOf, deleted, sourceOf } from './access.ts';
import { Cache } from './cache.ts';
import type { Clock } from '../clock.ts';
import type { Grant, LiveCredential } from './credential.ts';
import { Expiry } from './expiry.ts';
import type { Policy } from './freshness.ts';
import { InFlight } from './in-flight.ts';
import { Prober } from '../probe/prober.ts';
import type { Send } from '../probe/request.ts';
import { wantedVersion } from './resource.ts';
import type { Resource } from './resource.ts';
import type { Reading } from '../source/source.ts';
import type { Stores } from './stores.ts';

export interface LiveContext {
  name: string;
  /** The pod's own. */
  namespace: string;
  stores: Stores;
  /** Sends the request of a probe. */
  send: Send;
  clock: Clock;
  random: () => number;
  log: Log;
  /** A read of the source is over, after so many seconds. */
  onRead: (outcome: 'ok' | Reason, seconds: number) => void;
  /** `use` may answer something else now. */
  onUse: () => void;
}

/** A credential of this pod: follows its resource and its store, and keeps the value that both lead to. */
export class Live implements LiveCredential {
  readonly name: string;
  readonly #context: LiveContext;
  readonly #cache: Cache;
  readonly #acceptance: Acceptance;
  readonly #inFlight = new InFlight();
  readonly #expiry = new Expiry();
  readonly #prober: Prober;
  #resource: Resource | undefined;
  #access = '';
  #announced = '';
  #source = '';

  constructor(context: LiveContext, resource: Resource) {
    const { clock, random } = context;
    this.name = context.name;
    this.#context = context;
    this.#resource = resource;
    this.#acceptance = new Acceptance(clock);
    const read = (newest: boolean, signal: AbortSignal): Promise<Reading> => this.#read(newest, signal);
    this.#cache = new Cache({ read, clock, random, onChange: context.onUse }, policyOf(resource.spec));
    this.#prober = new Prober({
      ...context,
      place: `${context.namespace}/${context.name}`,
      spec: () => this.spec(),
      read: async (version, signal) => (await this.#readAt(version, signal)).value,
      current: async () => (await this.grant()).value,
      onResult: context.onUse,
    });
  }

  spec(): CredentialSpec | undefined {
    return this.#resource?.spec;
  }

  grant(): Grant | Promise<Grant> {
    return this.#cache.grant();
  }

  async grantAfterRefusal(version: string): Promise<Grant> {
    const grant = await this.#cache.grantAfterRefusal(version);
    // The call goes on with the version before, so nobody else will tell that the new one was refused.
    if (grant.fallback === true && this.#acceptance.report(version, false, this.#cache.version)) {
      this.#context.log('warn', 'the new version is refused, and calls fall back to the one before', { credential: this.name, version });
      this.#context.onUse();
    }
    return grant;
  }

  age(): number | undefined {
    const { age } = this.#cache;
    return age === undefined ? undefined : age / 1000;
  }

  report(version: string, accepted: boolean): void {
    const isLost = !accepted && version === this.#cache.fallback;
    if (isLost) this.#cache.forgetFallback();
    if (this.#acceptance.report(version, accepted, this.#cache.version) || isLost) this.#context.onUse();
  }

  began(version: string): void {
    this.#inFlight.began(version);
  }

  ended(version: string): void {
    if (this.#inFlight.ended(version) && version !== this.#cache.version) this.#context.onUse();
  }

  answered(version: string, fields: readonly string[]): void {
    if (this.#expiry.learn(version, fields)) this.#context.onUse();
  }

  /**
   * As the resource is now; undefined: it is deleted. Another value of the annotation rekey.dev/refresh asks for what is new: the operator
   * looks and tells, but where it may not look, or a read has failed and its cause may be mended, the source is read.
   */
  set(resource: Resource | undefined): void {
    const before = this.#resource;
    this.#resource = resource;
    this.follow();
    if (before?.isWatched !== true || resource === undefined || resource.asked === before.asked) return;
    const { source, storeRef } = resource.spec;
    if (!hasVersions(source, this.#context.stores.spec(storeRef.name)) || this.#cache.problem !== undefined) this.refresh();
  }

  /** The source may answer something else now. */
  refresh(): void {
    this.#cache.refresh();
  }

  /** Brings the cache in line with the resource and the store as they are now. */
  follow(): void {
    const resource = this.#resource;
    const access = accessOf(this.name, resource, this.#context.stores);
    if (access instanceof Failure || resource === undefined) this.#block(access as Failure);
    else this.#open(access, resource);
    this.#prober.ask(access instanceof Failure ? undefined : resource?.question);
  }

  /** What the binding says of it. */
  use(): Omit<Use, 'since'> {
    const { version, last } = this.#cache;
    const holds = this.#holds(version);
    const problem = this.#cache.problem ?? this.#acceptance.problem(version, this.#cache.fallback);
    return defined({
      name: this.name,
      version,
      source: version === undefined ? undefined : this.#source,
      createdAt: textOf(last?.createdAt),
      acceptedVersion: this.#acceptance.accepted,
      holds: holds.length === 0 ? undefined : holds.slice(0, 16),
      expiresAt: textOf(last?.expiresAt ?? this.#expiry.of(version)),
      probe: this.#prober.result,
      reason: problem?.reason,
      message: problem?.message.slice(0, 1024),
    });
  }

  /**
   * Versions beside the one of the next call that calls may carry: of calls under way, the one to fall back to, and the one that it was told to read, when that was
   * refused and it uses the newest meanwhile: the next read of the source tries what it was told again.
   */
  #holds(version: string | undefined): string[] {
    const resource = this.#resource;
    const told = resource === undefined ? undefined : wantedVersion(resource, announcedOf(resource, this.#context.stores), false);
    const isBack = told !== undefined && version !== undefined && told !== version;
    const { fallback } = this.#cache;
    const others = [isBack ? told : undefined, fallback].filter((one) => one !== undefined);
    return [...new Set([...this.#inFlight.besides(version), ...others])].sort();
  }

  /** Drops the value: the sidecar ends. */
  stop(): void {
    this.#prober.stop();
    this.#block(new Failure('SourceUnreachable', 'the sidecar is stopping'));
  }

  #block(failure: Failure): void {
    if (this.#access === failure.message) return;
    this.#access = failure.message;
    this.#cache.block(failure);
  }

  #open(key: string, resource: Resource): void {
    const { spec } = resource;
    const version = announcedOf(resource, this.#context.stores);
    const announced = `${version ?? ''} ${spec.version} ${resource.exact === true}`;
    const news = this.#announced !== announced;
    this.#announced = announced;
    this.#cache.setPolicy(policyOf(spec));
    if (this.#access !== key) {
      this.#access = key;
      const source = sourceOf(spec, this.#context.stores);
      // What the upstream accepted was read elsewhere, whatever its version is called.
      if (source !== this.#source) this.#acceptance.reset();
      this.#source = source;
      this.#cache.open(version);
    } else if (news && version !== undefined) this.#cache.announce(version);
    if (news) this.#context.onUse();
  }

  async #read(newest: boolean, signal: AbortSignal): Promise<Reading> {
    const resource = this.#resource;
    if (resource === undefined) throw deleted(this.name);
    const { clock, onRead } = this.#context;
    const began = clock.now();
    try {
      const reading = await this.#readAt(wantedVersion(resource, announcedOf(resource, this.#context.stores), newest), signal);
      onRead('ok', (clock.now() - began) / 1000);
      return reading;
    } catch (error) {
      const failure = error instanceof Failure ? error : this.#unexpected(error);
      if (!signal.aborted) onRead(failure.reason, (clock.now() - began) / 1000);
      throw failure;
    }
  }

  async #readAt(version: string | undefined, signal: AbortSignal): Promise<Reading> {
    const spec = this.spec();
    if (spec === undefined) throw deleted(this.name);
    const source = await this.#context.stores.source(spec);
    return source.read(spec.source, version, signal);
  }

  /** A fault of ours or of a library, not of the vault: told, since nothing else would show it. */
  #unexpected(error: unknown): Failure {
    this.#context.log('error', 'a read of the source ended in an error without a reason', {
      credential: this.name,
      code: errorCode(error),
    });
    return new Failure('SourceResponseInvalid');
  }
}

function policyOf({ cacheTTLSeconds, maxStaleSeconds, rotation }: CredentialSpec): Policy {
  const grace = (rotation?.graceSeconds ?? 0) * 1000;
  return { ttl: Math.min(cacheTTLSeconds, 60) * 1000, maxStale: maxStaleSeconds * 1000, grace };
}

/** An absent field and one that is undefined are the same in JSON, and not to who compares. */
function defined<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

const textOf = (date: Date | undefined): string | undefined => date?.toISOString();
