import type { Use } from '@rekey/crds/binding.ts';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { sourceId } from '@rekey/crds/source-id.ts';
import { hasStore, hasVersions } from '@rekey/crds/source-kind.ts';
import { errorCode } from '@rekey/lib/log.ts';
import type { Log } from '@rekey/lib/log.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { Acceptance } from './acceptance.ts';
import { Cache } from './cache.ts';
import type { Clock } from './clock.ts';
import type { Grant, LiveCredential } from './credential.ts';
import type { Reading } from './source/source.ts';
import { placeOf } from './stores.ts';
import type { Stores } from './stores.ts';

/** What the sidecar needs of an MCPCredential: its spec, and the version that the operator has announced. */
export interface Resource {
  spec: CredentialSpec;
  version: string | undefined;
  /** What it is a version of (`sourceId`); undefined for the source of the spec. */
  source?: string | undefined;
  /** The annotation that asks for what is new at once. */
  asked?: string | undefined;
}

export interface LiveContext {
  name: string;
  stores: Stores;
  clock: Clock;
  random: () => number;
  log: Log;
  onRead: (outcome: 'ok' | Reason) => void;
  /** `use` may answer something else now. */
  onUse: () => void;
}

/** A credential of this pod: follows its resource and its store, and keeps the value that both lead to. */
export class Live implements LiveCredential {
  readonly name: string;
  readonly #context: LiveContext;
  readonly #cache: Cache;
  readonly #acceptance: Acceptance;
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
  }

  spec(): CredentialSpec | undefined {
    return this.#resource?.spec;
  }

  grant(): Grant | Promise<Grant> {
    return this.#cache.grant();
  }

  grantAfterRefusal(version: string): Promise<Grant> {
    return this.#cache.grantAfterRefusal(version);
  }

  report(version: string, accepted: boolean): void {
    if (this.#acceptance.report(version, accepted, this.#cache.version)) this.#context.onUse();
  }

  /** As the resource is now; undefined: it is deleted. Where the operator may not look for what is new, who asks for it asks the sidecars. */
  set(resource: Resource | undefined): void {
    const asked = resource?.asked !== undefined && resource.asked !== this.#resource?.asked;
    this.#resource = resource;
    this.follow();
    if (asked && !hasVersions(resource.spec.source, this.#context.stores.spec(resource.spec.storeRef.name))) this.refresh();
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
  }

  /** What the binding says of it. */
  use(): Omit<Use, 'since'> {
    const { version, createdAt } = this.#cache;
    const { accepted } = this.#acceptance;
    const problem = this.#cache.problem ?? this.#acceptance.problem(version);
    return {
      name: this.name,
      ...(version === undefined ? {} : { version, source: this.#source }),
      ...(version === undefined || createdAt === undefined ? {} : { createdAt: createdAt.toISOString() }),
      ...(accepted === undefined ? {} : { acceptedVersion: accepted }),
      ...(problem === undefined ? {} : { reason: problem.reason, message: problem.message.slice(0, 1024) }),
    };
  }

  /** Drops the value: the sidecar ends. */
  stop(): void {
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
    const announced = `${version ?? ''} ${spec.version}`;
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
  }

  /**
   * | spec.version | status.version | asked for after a refusal | read                                                         |
   * |--------------|----------------|---------------------------|--------------------------------------------------------------|
   * | empty        | any            | any                       | the newest                                                   |
   * | a pin        | of this source | no                        | exactly status.version: the operator has checked it, and keeps the last good one when the pin is not |
   * | a pin        | none, or of another source | no            | exactly the pin                                              |
   * | a pin        | any            | yes                       | the newest: the pinned one is refused, nothing is left to lose |
   */
  async #read(newest: boolean, signal: AbortSignal): Promise<Reading> {
    const resource = this.#resource;
    if (resource === undefined) throw deleted(this.name);
    const { spec } = resource;
    const wanted = newest || spec.version === '' ? undefined : (announcedOf(resource, this.#context.stores) ?? spec.version);
    try {
      const source = await this.#context.stores.source(spec);
      const reading = await source.read(spec.source, wanted, signal);
      this.#context.onRead('ok');
      return reading;
    } catch (error) {
      const failure = error instanceof Failure ? error : this.#unexpected(error);
      if (!signal.aborted) this.#context.onRead(failure.reason);
      throw failure;
    }
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

function policyOf({ cacheTTLSeconds, maxStaleSeconds }: CredentialSpec): { ttl: number; maxStale: number } {
  return { ttl: Math.min(cacheTTLSeconds, 60) * 1000, maxStale: maxStaleSeconds * 1000 };
}

/**
 * Why the value may not be used, or the key of where it is read from: a value that was read under another key is dropped.
 *
 * | resource | suspend | store                | outcome           |
 * |----------|---------|----------------------|-------------------|
 * | deleted  | -       | -                    | CredentialDeleted |
 * | there    | true    | -                    | Suspended         |
 * | there    | false   | gone                 | StoreNotFound     |
 * | there    | false   | there, or not needed | the key           |
 */
function accessOf(name: string, resource: Resource | undefined, stores: Stores): Failure | string {
  if (resource === undefined) return deleted(name);
  const { spec } = resource;
  if (spec.suspend) return new Failure('Suspended', `MCPCredential ${name} is suspended`);
  if (!hasStore(spec.source)) return JSON.stringify([spec.source]);
  const store = stores.spec(spec.storeRef.name);
  if (store === undefined) return new Failure('StoreNotFound', `there is no MCPCredentialStore ${spec.storeRef.name}`);
  return JSON.stringify([spec.storeRef.name, placeOf(store), spec.source]);
}

/** The announced version, when it is one of the source that the spec names now: number 7 of another path is another value. */
function announcedOf({ spec, version, source }: Resource, stores: Stores): string | undefined {
  return source === undefined || source === sourceOf(spec, stores) ? version : undefined;
}

function sourceOf(spec: CredentialSpec, stores: Stores): string {
  const store = hasStore(spec.source) ? stores.spec(spec.storeRef.name) : undefined;
  return store === undefined && hasStore(spec.source) ? '' : sourceId(spec, store);
}

function deleted(name: string): Failure {
  return new Failure('CredentialDeleted', `MCPCredential ${name} was deleted`);
}
