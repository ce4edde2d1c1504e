import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import type { FaultName } from './faults.fixture.ts';
import { canary, faults, lasting } from './faults.fixture.ts';
import type { Source } from './source.ts';

/** A server of the provider's kind on loopback, well until it is told to fail, with one secret that can be read. */
export interface Provider {
  /** Every request from now on, logins included, is answered by this in place of the provider; undefined: it is well again. */
  fail(answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined): void;
  /** Opens a source on it, with a session of its own. */
  open(limits: Limits): Source;
  reference: CredentialSource;
  close(): Promise<void>;
}

/** Where a provider means something else by a fault than most do: Vault's 503 is a seal. */
export type Meanings = Partial<Record<FaultName, Reason>>;

const patient: Limits = { attempts: 3, attempt: 10_000, budget: 30_000, pause: 1 };
/** For what is about silence. */
const impatient: Limits = { ...patient, attempt: 500 };
/** For what must end otherwise than by a time-out. */
const endless: Limits = { ...patient, attempt: 3_600_000, budget: 3_600_000 };

/**
 * The rows that every source passes, whatever its provider: each fault leads to its reason after at most three attempts, one while the
 * provider stays away, within the budget; no redirect is followed; no word of the provider is in the failure. `start` makes a provider
 * for each row.
 */
export function bearsFaults(start: () => Promise<Provider>, meanings: Meanings = {}): void {
  let provider: Provider;
  let elsewhere: Awaited<ReturnType<typeof startElsewhere>>;
  let source: Source;
  let asked: number;

  beforeEach(async () => {
    [provider, elsewhere] = await Promise.all([start(), startElsewhere()]);
    asked = 0;
  });
  afterEach(async () => {
    source.close();
    await Promise.all([provider.close(), elsewhere.close()]);
  });

  const read = (signal = new AbortController().signal): Promise<unknown> => source.read(provider.reference, undefined, signal);
  const open = (limits: Limits): void => {
    source = provider.open(limits);
  };
  /** From now on, for so many requests. */
  const fail = (name: FaultName, times = Number.POSITIVE_INFINITY): void => {
    provider.fail((request, response) => {
      asked += 1;
      if (asked >= times) provider.fail(undefined);
      faults[name].answer(request, response, elsewhere.address);
    });
  };
  /** The failure of one read, and how many requests it made. */
  const failed = async (reading = read()): Promise<{ reason: Reason; requests: number; failure: Failure }> => {
    const before = asked;
    const failure: unknown = await reading.catch((error: unknown) => error);
    if (!(failure instanceof Failure)) throw new Error(`no Failure: ${inspect(failure)}`);
    return { reason: failure.reason, requests: asked - before, failure };
  };
  const limitsOf = (name: FaultName): Limits => (faults[name].silent ? impatient : patient);
  const names = Object.keys(faults) as FaultName[];

  test.each(names)('%s: its reason after at most three attempts, no redirect followed, no word of the provider', async (name) => {
    open(limitsOf(name));
    await read();
    fail(name);
    const { reason, requests, failure } = await failed();
    expect({ reason, requests }).toEqual({ reason: meanings[name] ?? faults[name].reason, requests: lasting.has(name) ? 1 : 3 });
    expect(elsewhere.connections()).toBe(0);
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(canary);
  });

  test.each(names)('%s at the login: no more attempts than that, and no word of the provider', async (name) => {
    open(limitsOf(name));
    fail(name);
    const { requests, failure } = await failed();
    expect(requests).toBe(lasting.has(name) ? 1 : 3);
    expect(elsewhere.connections()).toBe(0);
    expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(canary);
  });

  test.each(names.filter((name) => !lasting.has(name)))('%s once: the next attempt reads', async (name) => {
    open(limitsOf(name));
    await read();
    fail(name, 1);
    await read();
    expect(asked).toBe(1);
  });

  test('while it is away each read tries once, and three times again when it was back', async () => {
    open(patient);
    fail('a reset');
    expect((await failed()).requests).toBe(3);
    expect((await failed()).requests).toBe(1);
    provider.fail(undefined);
    await read();
    fail('a reset');
    expect((await failed()).requests).toBe(3);
  });

  test('the budget ends a read whatever is left to try', async () => {
    open({ ...patient, attempts: 1000, budget: 100 });
    fail('no answer');
    expect(await failed()).toMatchObject({ reason: 'SourceUnreachable', requests: 1 });
  });

  test('a read that is not wanted any more ends at once, and its request with it', async () => {
    open(endless);
    await read();
    const controller = new AbortController();
    const closed = new Promise((resolve) => {
      provider.fail((_request, response) => {
        asked += 1;
        response.on('close', resolve);
        controller.abort();
      });
    });
    expect(await failed(read(controller.signal))).toMatchObject({ reason: 'SourceUnreachable', requests: 1 });
    await closed;
  });
}

/** Where redirects point to. It only counts: a connection is as bad as a request. */
async function startElsewhere(): Promise<{ address: string; connections: () => number; close: () => Promise<void> }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = async (): Promise<void> => {
    await new Promise((resolve) => {
      server.close(resolve);
    });
  };
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections, close };
}
