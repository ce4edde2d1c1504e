import type { LookupFunction, Server, Socket } from 'node:net';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { FakeClock } from '../clock.fake.ts';
import { fakeClock } from '../clock.fake.ts';
import { Live } from '../credential/live.ts';
import type { Resource } from '../credential/resource.ts';
import { Stores } from '../credential/stores.ts';

/** A real source with one secret, as its owner holds it. */
export interface Owner {
  source: CredentialSpec['source'];
  /** How to reach it through a relay on this port of loopback. */
  store: (port: number) => StoreSpec;
  port: number;
  lookup: LookupFunction;
  token: () => Promise<string>;
  /** Writes a value; resolves with its version. */
  write: (value: string) => Promise<string>;
  /** A version that the source never had. */
  missing: string;
  /** What takes the value away, each with the reason that the next call gets. */
  spoils: Readonly<Record<string, { spoil: () => Promise<unknown>; reason: Reason }>>;
  /** Undoes all of that. */
  mend: () => Promise<unknown>;
}

const name = 'github';
const ttl = 60_000;
const maxStale = 300_000;

/** The promises of a credential that a real source must keep, whatever it is. `start` is called once, before the first. */
export function keepsPromises(start: () => Promise<Owner>): void {
  let owner: Owner;
  let relay: Relay;
  let clock: FakeClock;
  let stores: Stores;
  let live: Live;
  let reads: ('ok' | Reason)[];

  beforeAll(async () => {
    owner = await start();
  }, 120_000);
  beforeEach(async () => {
    await owner.mend();
    relay = await startRelay(owner.port);
    clock = fakeClock();
    reads = [];
    stores = new Stores({
      lookup: owner.lookup,
      namespace: 'tools',
      pod: 'p',
      secrets: '/nowhere',
      token: owner.token,
      onChange: () => undefined,
    });
    stores.set('default', owner.store(relay.port));
    const onRead = (outcome: 'ok' | Reason): void => void reads.push(outcome);
    const unused = { namespace: 'tools', send: () => Promise.reject(new Error('no probe')), log: () => undefined, onUse: () => undefined };
    live = new Live({ ...unused, name, stores, clock, random: () => 0.5, onRead }, resource());
    live.follow();
  });
  afterEach(async () => {
    live.stop();
    stores.close();
    await relay.stop();
  });

  /** `version`: what the operator has announced. */
  const resource = (over: Partial<CredentialSpec> = {}, version?: string): Resource => ({ spec: { ...specOf(owner), ...over }, version });
  const value = async (): Promise<string> => (await live.grant()).value.reveal();
  const reason = async (): Promise<string> => {
    try {
      return `a value, ${(await live.grant()).cache}`;
    } catch (error) {
      return error instanceof Failure ? error.reason : 'no Failure';
    }
  };
  /** The clock is turned by hand, the source answers in its own time. */
  const pass = async (milliseconds: number): Promise<void> => {
    const before = reads.length;
    await clock.pass(milliseconds);
    for (let tries = 0; tries < 200 && reads.length === before; tries += 1) await pause(25);
    await clock.pass(0);
  };

  test('1,000 calls at once on a cold cache make exactly one read of the source', async () => {
    await owner.write('sk-cold');
    const values = await Promise.all(Array.from({ length: 1000 }, value));
    expect(new Set(values)).toEqual(new Set(['sk-cold']));
    expect(reads).toEqual(['ok']);
  });

  test('a new version is used once the time to live is over', async () => {
    await owner.write('sk-before');
    expect(await value()).toBe('sk-before');
    const version = await owner.write('sk-after');
    await pass(ttl);
    expect(await live.grant()).toMatchObject({ version });
    expect(await value()).toBe('sk-after');
  });

  test('while the source is away the last value serves for maxStaleSeconds, and then nothing does', async () => {
    await owner.write('sk-stale');
    await value();
    await relay.cut();
    await pass(ttl + 1000);
    expect(await reason()).toBe('a value, stale');
    expect(await value()).toBe('sk-stale');
    await pass(maxStale);
    expect(await reason()).toBe('SourceUnreachable');
    await relay.mend();
    await pass(60_000);
    expect(await value()).toBe('sk-stale');
  }, 60_000);

  test('suspended: the value is dropped at once, and read again when it is resumed', async () => {
    await owner.write('sk-suspended');
    await value();
    live.set(resource({ suspend: true }));
    expect(await reason()).toBe('Suspended');
    live.set(resource());
    expect(await value()).toBe('sk-suspended');
    expect(reads).toEqual(['ok', 'ok']);
  });

  test('what is taken away at the source is dropped at the next read, and no stale value serves', async () => {
    for (const [how, { spoil, reason: expected }] of Object.entries(owner.spoils)) {
      await owner.mend();
      await owner.write('sk-gone');
      live.set(undefined);
      live.set(resource());
      expect([how, await value()]).toEqual([how, 'sk-gone']);
      await spoil();
      await pass(ttl);
      expect([how, await reason()]).toEqual([how, expected]);
    }
  }, 120_000);

  test('rolled back by a pin, and released: each time the value is the one of the version, and nothing is lost', async () => {
    const first = await owner.write('sk-first');
    const second = await owner.write('sk-second');
    expect(await value()).toBe('sk-second');
    live.set(resource({ version: first }, first));
    await pass(1000);
    expect(await live.grant()).toMatchObject({ version: first });
    expect(await value()).toBe('sk-first');
    live.set(resource({}, second));
    await pass(1000);
    expect(await live.grant()).toMatchObject({ version: second });
    expect(await value()).toBe('sk-second');
  });

  test('a pin to a version that is not there: what is announced stays in use, and a pod without it says VersionNotFound', async () => {
    const version = await owner.write('sk-kept');
    await value();
    live.set(resource({ version: owner.missing }, version));
    await pass(ttl);
    expect(await value()).toBe('sk-kept');
    live.set(undefined);
    live.set(resource({ version: owner.missing }));
    expect(await reason()).toBe('VersionNotFound');
    expect(new Set(reads)).toEqual(new Set(['ok', 'VersionNotFound']));
  });

  test('a refused call reads the newest at once, without waiting for the time to live', async () => {
    const old = await owner.write('sk-revoked');
    await value();
    const version = await owner.write('sk-newest');
    expect(await live.grantAfterRefusal(old)).toMatchObject({ version });
  });
}

function specOf({ source }: Owner): CredentialSpec {
  return {
    source,
    storeRef: { name: 'default' },
    version: '',
    hosts: ['api.github.com'],
    inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
    refused: [{ status: 401 }],
    env: [],
    podSelector: { matchLabels: { app: 'x' } },
    cacheTTLSeconds: ttl / 1000,
    maxStaleSeconds: maxStale / 1000,
    suspend: false,
  };
}

interface Relay {
  port: number;
  /** From now on connections end and none is taken, as when the source is away. */
  cut: () => Promise<void>;
  mend: () => Promise<void>;
  stop: () => Promise<void>;
}

async function startRelay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server: Server = net.createServer((socket) => {
    const other = net.connect(to, '127.0.0.1');
    for (const [one, two] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => sockets.delete(one));
      one.on('close', () => two.destroy()).pipe(two);
    }
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => {
      server.listen(port, '127.0.0.1', resolve);
    });
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const cut = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { port, cut, mend: () => listen(port), stop: cut };
}
