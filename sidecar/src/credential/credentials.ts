import { readFile } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath } from '@rekey/crds/names.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Log } from '@rekey/lib/log.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import type { KubernetesObject } from '@rekey/lib/watch.ts';
import { BindingWriter } from '../report/binding.ts';
import type { Clock } from '../clock.ts';
import { processClock } from '../clock.ts';
import type { Config } from '../config.ts';
import type { LiveCredential } from './credential.ts';
import { kubernetes } from '../kubernetes.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { Live } from './live.ts';
import { probeSender } from '../probe/request.ts';
import type { Send } from '../probe/request.ts';
import { resourceOf, resourceOfSnapshot } from './resource.ts';
import type { Resource } from './resource.ts';
import { credentialProblem, storeProblem } from './snapshot.ts';
import { storeNameOf, Stores } from './stores.ts';

export interface CredentialsContext {
  config: Config;
  log: Log;
  /** Resolves names without the pod's hosts file, which the app may have rewritten. */
  lookup: LookupFunction;
  /** What upstreams are verified with. */
  trusted: () => SecureContext;
  /** Each read of a source, once it is over, and the seconds that it took. */
  onRead?: (credential: string, outcome: 'ok' | Reason, seconds: number) => void;
  clock?: Clock;
  random?: () => number;
  /** Of the watches, as in lib/src/watch.ts. */
  idleMilliseconds?: number;
}

export interface LiveCredentials {
  /** The pod's credentials, in the order of the snapshot: the set is fixed, what they say is live. */
  list(): LiveCredential[];
  /** Called after a spec changed, or a credential went or came back. */
  onChange(listener: () => void): void;
  stop(): Promise<void>;
}

/** Starts from the snapshot at once: returns without waiting for the API server or a source. */
export function startCredentials(context: CredentialsContext): LiveCredentials {
  const running = new Running(context);
  running.start();
  return running;
}

class Running implements LiveCredentials {
  readonly #context: CredentialsContext;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #stop = new AbortController();
  readonly #kubernetes: Kubernetes;
  readonly #stores: Stores;
  readonly #binding: BindingWriter;
  readonly #lives: Live[];
  readonly #listeners: (() => void)[] = [];
  readonly #watches: Promise<void>[] = [];
  readonly #watchedStores = new Set<string>();
  readonly #send: Send;

  constructor(context: CredentialsContext) {
    const { config, log, lookup, clock = processClock, random = Math.random } = context;
    const file = (path: string): Promise<string> => readFile(`${config.identity}/${path}`, 'utf8');
    this.#context = context;
    this.#clock = clock;
    this.#random = random;
    this.#kubernetes = kubernetes({
      ...config.kubernetes,
      ca: () => file('api/ca.crt'),
      token: () => file('api/token'),
      now: () => clock.now(),
    });
    this.#stores = new Stores({
      lookup,
      namespace: config.namespace,
      pod: config.pod,
      secrets: config.secrets,
      token: (store) => file(`source/${store}/token`),
      onChange: (store) => this.#refresh(store),
    });
    const { applyStatus } = this.#kubernetes;
    this.#binding = new BindingWriter({ ...config, applyStatus, clock, random, date: () => new Date(), log });
    this.#send = probeSender({ lookup, trusted: context.trusted });
    this.#lives = config.snapshot.credentials.map((entry) => this.#live(entry.name, resourceOfSnapshot(entry)));
  }

  start(): void {
    const { snapshot, namespace } = this.#context.config;
    for (const { name, spec } of snapshot.stores) this.#stores.set(name, spec);
    for (const live of this.#lives) {
      live.follow();
      this.#watch(`${apiPath}/namespaces/${namespace}/mcpcredentials`, live.name, (object) =>
        this.#setCredential(live, object as Credential | undefined),
      );
    }
    this.#watchStores();
  }

  list(): LiveCredential[] {
    return this.#lives;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#binding.stop();
    for (const live of this.#lives) live.stop();
    this.#stores.close();
    this.#kubernetes.close();
    await Promise.all(this.#watches);
  }

  #live(name: string, resource: Resource): Live {
    const onRead = (outcome: 'ok' | Reason, seconds: number): void => {
      this.#context.onRead?.(name, outcome, seconds);
      if (outcome !== 'ok') this.#context.log('debug', 'a read of the source failed', { credential: name, reason: outcome });
    };
    const onUse = (): void => this.#binding.set(this.#lives.map((live) => live.use()));
    const { log, config } = this.#context;
    const parts = { stores: this.#stores, send: this.#send, clock: this.#clock, random: this.#random };
    return new Live({ name, namespace: config.namespace, log, ...parts, onRead, onUse }, resource);
  }

  #setCredential(live: Live, object: Credential | undefined): void {
    const problem = object === undefined ? undefined : credentialProblem(object.spec);
    if (problem !== undefined) {
      this.#context.log('error', 'an MCPCredential cannot be used as it is', { credential: live.name });
      return;
    }
    const before = JSON.stringify(live.spec());
    live.set(object === undefined ? undefined : resourceOf(object, this.#context.config.pod));
    if (isBehind(object)) this.#binding.repeat();
    this.#watchStores();
    if (before !== JSON.stringify(live.spec())) for (const listener of this.#listeners) listener();
  }

  #setStore(name: string, object: Store | undefined): void {
    if (object !== undefined && storeProblem(object.spec) !== undefined) {
      this.#context.log('error', 'an MCPCredentialStore cannot be used as it is', { store: name });
      return;
    }
    this.#stores.set(name, object?.spec);
    for (const live of this.#lives) live.follow();
  }

  #refresh(store: string): void {
    for (const live of this.#lives) {
      const spec = live.spec();
      if (spec !== undefined && storeNameOf(spec) === store) live.refresh();
    }
  }

  /** A credential may come to name a store that the snapshot does not have. */
  #watchStores(): void {
    for (const live of this.#lives) {
      const spec = live.spec();
      const name = spec === undefined ? '' : storeNameOf(spec);
      if (name === '' || this.#watchedStores.has(name)) continue;
      this.#watchedStores.add(name);
      this.#watch(`${apiPath}/mcpcredentialstores`, name, (object) => this.#setStore(name, object as Store | undefined));
    }
  }

  /** Tells of one object as it changes, and of its absence only when the API server says so: an outage is none. */
  #watch(path: string, name: string, tell: (object: KubernetesObject | undefined) => void): void {
    let there = false;
    const { idleMilliseconds } = this.#context;
    const watching = listAndWatch({
      path,
      query: { fieldSelector: `metadata.name=${name}` },
      get: this.#kubernetes.get,
      signal: this.#stop.signal,
      random: this.#random,
      ...(idleMilliseconds === undefined ? {} : { idleMilliseconds }),
      onChange: (_key, object) => {
        there = object !== undefined;
        tell(object);
      },
      onSynced: () => {
        if (!there) tell(undefined);
      },
      onFailure: ({ step, status, code, attempt }) =>
        this.#context.log(attempt === 0 ? 'info' : 'debug', 'the watch ended', { name, step, status, code, attempt }),
    });
    this.#watches.push(watching);
  }
}

/** Whether the operator counts a pod that does not use what it should. */
function isBehind(credential: Credential | undefined): boolean {
  const { bound, current } = credential?.status?.pods ?? { bound: 0, current: 0 };
  return current < bound;
}
