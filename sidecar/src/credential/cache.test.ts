import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { Cache } from './cache.ts';
import type { Policy } from './freshness.ts';
import { fakeClock, settle } from '../clock.fake.ts';
import type { Grant } from './credential.ts';
import { fakeSource } from '../source/source.fake.ts';

const policy: Policy = { ttl: 60_000, maxStale: 300_000 };

/** A cache in front of a source that holds version 7, opened and not read yet. Half of every jitter. */
function setUp(over: Partial<Policy> = {}) {
  const clock = fakeClock();
  const source = fakeSource('7');
  let changes = 0;
  let pinned: string | undefined;
  const cache = new Cache(
    {
      read: (newest, signal) => source.read(newest ? undefined : pinned, signal),
      clock,
      random: () => 0.5,
      onChange: () => {
        changes += 1;
      },
    },
    { ...policy, ...over },
  );
  const pin = (version: string | undefined): void => {
    pinned = version;
  };
  return { clock, source, cache, pin, changes: () => changes };
}

/** The same, once its first background read is over. */
async function setUpRead(over: Partial<Policy> = {}) {
  const all = setUp(over);
  all.cache.open('7');
  await all.clock.pass(200);
  expect(all.source.reads).toBe(1);
  return all;
}

const brief = ({ version, cache, value }: Grant): string => `${version} ${cache} ${value.reveal()}`;
const get = async (cache: Cache): Promise<string> => brief(await cache.grant());
const reasonOf = async (task: () => unknown): Promise<Reason> => {
  try {
    await task();
  } catch (error) {
    if (error instanceof Failure) return error.reason;
  }
  throw new Error('no Failure');
};

describe('a call', () => {
  test('1,000 calls at once on a cold cache are one read', async () => {
    const { cache, source } = setUp();
    cache.open(undefined);
    source.hold();
    const calls = Array.from({ length: 1000 }, () => get(cache));
    source.release();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['7 miss value-7']));
    expect(source.reads).toBe(1);
  });

  test('a hit costs no promise, and makes no new grant', async () => {
    const { cache, source } = await setUpRead();
    const grant = cache.grant();
    expect(grant).not.toBeInstanceOf(Promise);
    expect(cache.grant()).toBe(grant);
    expect(brief(grant as Grant)).toBe('7 hit value-7');
    expect(source.reads).toBe(1);
  });

  test('before it is opened there is nothing to have', async () => {
    const { cache } = setUp();
    expect(await reasonOf(() => cache.grant())).toBe('SourceUnreachable');
  });
});

describe('the TTL', () => {
  test('a value that is used is refreshed ahead of its end: no call waits', async () => {
    const { cache, clock, source } = await setUpRead();
    for (let second = 0; second < 300; second += 1) {
      expect(cache.grant()).not.toBeInstanceOf(Promise);
      await clock.pass(1000);
    }
    expect(source.reads).toBeGreaterThanOrEqual(6);
    expect(source.reads).toBeLessThanOrEqual(8);
  });

  test('a value first used late in its TTL is refreshed by that use', async () => {
    const { cache, clock, source } = await setUpRead();
    await clock.pass(55_000);
    expect(source.reads).toBe(1);
    await get(cache);
    await settle();
    expect(source.reads).toBe(2);
  });

  test('a value that nobody uses is gone at the end of its TTL, and nothing reads it again', async () => {
    const { cache, clock, source, changes } = await setUpRead();
    await clock.pass(60_000);
    const before = changes();
    await clock.pass(3_600_000);
    expect(source.reads).toBe(1);
    expect(changes()).toBe(before);
    expect(clock.pending()).toBe(0);
    expect(await get(cache)).toBe('7 miss value-7');
    expect(source.reads).toBe(2);
  });

  test('a value that a call has waited for counts as used', async () => {
    const { cache, clock, source } = setUp();
    cache.open(undefined);
    await get(cache);
    await clock.pass(50_000);
    expect(source.reads).toBe(2);
  });

  test('while a value is refreshed past its end, calls wait for the new one', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = '8';
    source.hold();
    await clock.pass(61_000);
    const call = get(cache);
    source.release();
    expect(await call).toBe('8 miss value-8');
  });

  test('a new value reaches the calls within the TTL without any push', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = '8';
    await clock.pass(60_000);
    expect(await get(cache)).toBe('8 hit value-8');
  });

  test('a shorter TTL of the resource counts for the value in hand', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = '8';
    cache.setPolicy({ ...policy, ttl: 1000 });
    await clock.pass(1000);
    expect(await get(cache)).toBe('8 miss value-8');
  });
});

describe('an outage', () => {
  const outages: Reason[] = ['SourceUnreachable', 'SourceSealed', 'SourceThrottled', 'SourceResponseInvalid'];

  test.each(outages)('%s: the last value serves for maxStale, then the reason', async (reason) => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = reason;
    await clock.pass(59_000);
    expect(await get(cache)).toBe('7 hit value-7');
    await clock.pass(2000);
    expect(await get(cache)).toBe('7 stale value-7');
    expect(cache.problem).toBeUndefined();
    await clock.pass(297_000);
    expect(await get(cache)).toBe('7 stale value-7');
    await clock.pass(2000);
    expect(await reasonOf(() => cache.grant())).toBe(reason);
    expect(cache.problem?.reason).toBe(reason);
  });

  test('the value ends after maxStale though a read hangs', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = 'SourceSealed';
    await clock.pass(300_000);
    source.hold();
    await clock.pass(61_000);
    const call = reasonOf(() => cache.grant());
    source.release();
    expect(await call).toBe('SourceSealed');
  });

  test('a value that nobody has used ends with its TTL, outage or not', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = 'SourceUnreachable';
    cache.announce('8');
    await clock.pass(60_000);
    expect(cache.problem?.reason).toBe('SourceUnreachable');
    expect(await reasonOf(() => cache.grant())).toBe('SourceUnreachable');
  });

  test('that is over is forgotten', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = 'SourceUnreachable';
    await clock.pass(70_000);
    source.newest = '8';
    await clock.pass(6000);
    expect(cache.version).toBe('8');
    await clock.pass(60_000);
    expect(cache.problem).toBeUndefined();
    expect(await get(cache)).toBe('8 miss value-8');
  });

  test('with maxStale 0 the value ends with its TTL', async () => {
    const { cache, clock, source } = await setUpRead({ maxStale: 0 });
    await get(cache);
    source.newest = 'SourceSealed';
    await clock.pass(60_001);
    expect(await reasonOf(() => cache.grant())).toBe('SourceSealed');
  });

  test('a source that is down is not hammered by calls', async () => {
    const { cache, clock, source } = setUp();
    source.newest = 'SourceUnreachable';
    cache.open(undefined);
    for (let call = 0; call < 6000; call += 1) {
      expect(await reasonOf(() => cache.grant())).toBe('SourceUnreachable');
      if (call % 100 === 99) await clock.pass(1000);
    }
    expect(source.reads).toBeGreaterThan(10);
    expect(source.reads).toBeLessThan(20);
  });

  test('a value in use comes back within six seconds of the source, though no call asks', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = 'SourceSealed';
    await clock.pass(120_000);
    source.newest = '8';
    await clock.pass(6000);
    expect(await get(cache)).toBe('8 hit value-8');
  });

  test('a failure without a value in hand is looked at again within a minute, so that the status does not lie for long', async () => {
    const { cache, clock, source } = setUp();
    source.newest = 'SecretNotFound';
    cache.open(undefined);
    await clock.pass(1000);
    expect(cache.problem?.reason).toBe('SecretNotFound');
    source.newest = '7';
    await clock.pass(60_000);
    expect(cache.problem).toBeUndefined();
  });
});

describe('a definite answer of the source', () => {
  const refusals: Reason[] = [
    'SourceDenied',
    'SecretNotFound',
    'KeyNotFound',
    'VersionNotFound',
    'VersionDeleted',
    'VersionDestroyed',
    'SecretValueInvalid',
  ];

  test.each(refusals)('%s drops the value at once', async (reason) => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = reason;
    await clock.pass(49_000);
    expect(source.reads).toBe(2);
    expect(await reasonOf(() => cache.grant())).toBe(reason);
    expect(cache.problem?.reason).toBe(reason);
  });

  test('after an outage, too', async () => {
    const { cache, clock, source } = await setUpRead();
    await get(cache);
    source.newest = 'SourceUnreachable';
    await clock.pass(100_000);
    source.newest = 'SourceDenied';
    await clock.pass(6000);
    expect(await reasonOf(() => cache.grant())).toBe('SourceDenied');
  });
});

describe('block and open', () => {
  test('block drops the value at once, and open reads anew', async () => {
    const { cache, clock, source } = await setUpRead();
    cache.block(new Failure('Suspended'));
    expect(await reasonOf(() => cache.grant())).toBe('Suspended');
    expect(await reasonOf(() => cache.grantAfterRefusal('7'))).toBe('Suspended');
    expect(clock.pending()).toBe(0);
    cache.open('7');
    expect(await get(cache)).toBe('7 miss value-7');
    expect(source.reads).toBe(2);
  });

  test('calls that wait for a read are told of the block, and what the read brings is not kept', async () => {
    const { cache, source } = setUp();
    cache.open(undefined);
    source.hold();
    const waiting = reasonOf(() => cache.grant());
    cache.block(new Failure('CredentialDeleted'));
    source.release();
    expect(await waiting).toBe('CredentialDeleted');
    await settle();
    expect(cache.version).toBeUndefined();
  });

  test('calls that wait while the source is changed get the value of the new one', async () => {
    const { cache, source } = setUp();
    cache.open(undefined);
    source.hold();
    const waiting = get(cache);
    await settle();
    source.newest = '100';
    cache.open(undefined);
    source.release();
    expect(await waiting).toBe('100 miss value-100');
  });
});

describe('an announced version', () => {
  test('is read within 200 ms, by an idle credential too', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = '8';
    cache.announce('8');
    await clock.pass(200);
    expect(cache.version).toBe('8');
    expect(source.reads).toBe(2);
  });

  test('that was read already is not read again', async () => {
    const { cache, clock, source } = await setUpRead();
    cache.announce('7');
    await clock.pass(1000);
    expect(source.reads).toBe(1);
  });

  test('is asked for again while a standby lags, and no call fails', async () => {
    const { cache, clock, source } = await setUpRead();
    cache.announce('8');
    for (let second = 0; second < 9; second += 1) {
      await clock.pass(1000);
      expect(await get(cache)).toBe('7 hit value-7');
    }
    source.newest = '8';
    await clock.pass(4000);
    expect(await get(cache)).toBe('8 hit value-8');
    const { reads } = source;
    await clock.pass(30_000);
    expect(source.reads).toBe(reads);
  });

  test('that never comes is given up after half a minute', async () => {
    const { cache, clock, source } = await setUpRead();
    cache.announce('8');
    await clock.pass(35_000);
    const { reads } = source;
    expect(reads).toBeLessThan(15);
    await clock.pass(10_000);
    expect(source.reads).toBe(reads);
  });

  test('that a standby does not know yet costs the calls nothing', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = 'VersionNotFound';
    cache.announce('8');
    await clock.pass(5000);
    expect(await get(cache)).toBe('7 hit value-7');
    source.newest = '8';
    await clock.pass(4000);
    expect(await get(cache)).toBe('8 hit value-8');
  });

  test.each(['SecretNotFound', 'VersionDeleted', 'VersionDestroyed'])('is asked for again when a standby says %s', async (reason) => {
    const { cache, clock, source } = await setUpRead();
    source.newest = reason;
    cache.announce('8');
    await clock.pass(1000);
    expect(await reasonOf(() => get(cache))).toBe(reason);
    source.newest = '8';
    await clock.pass(2000);
    expect(cache.version).toBe('8');
  });

  test('is not asked for again when the identity is refused', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = 'SourceDenied';
    cache.announce('8');
    await clock.pass(20_000);
    expect(source.reads).toBe(2);
  });

  test('a standby further behind than what is in hand takes no call back', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = '6';
    cache.announce('8');
    await clock.pass(5000);
    expect(await get(cache)).toBe('7 hit value-7');
    source.newest = '8';
    await clock.pass(4000);
    expect(await get(cache)).toBe('8 hit value-8');
  });

  test('numbers are compared as numbers', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = '9';
    cache.announce('10');
    await clock.pass(1000);
    source.newest = '10';
    await clock.pass(2000);
    expect(cache.version).toBe('10');
  });

  test('a secret that was made anew begins at 1, and is taken at once', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = '1';
    cache.announce('1');
    await clock.pass(200);
    expect(await get(cache)).toBe('1 hit value-1');
  });

  test('is found through a short outage', async () => {
    const { cache, clock, source } = await setUpRead();
    source.newest = 'SourceUnreachable';
    cache.announce('8');
    await clock.pass(3000);
    source.newest = '8';
    await clock.pass(4000);
    expect(await get(cache)).toBe('8 hit value-8');
  });
});

describe('after a refusal', () => {
  const after = async (cache: Cache, version: string): Promise<string> => brief(await cache.grantAfterRefusal(version));

  test('one read for all the calls that were refused', async () => {
    const { cache, source } = await setUpRead();
    source.newest = '8';
    source.hold();
    const calls = Array.from({ length: 1000 }, () => after(cache, '7'));
    await settle();
    source.release();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['8 miss value-8']));
    expect(source.reads).toBe(2);
  });

  test('a value in hand that is another one is used without a read', async () => {
    const { cache, source } = await setUpRead();
    expect(await after(cache, '6')).toBe('7 hit value-7');
    expect(source.reads).toBe(1);
  });

  test('a read that was under way is not trusted: it may have been answered before', async () => {
    const { cache, source, clock } = await setUpRead();
    await clock.pass(50_000);
    source.hold();
    await get(cache);
    source.newest = '8';
    const call = after(cache, '7');
    source.release();
    expect(await call).toBe('8 miss value-8');
    expect(source.reads).toBe(3);
  });

  test('a new version that is written a moment after the old one was revoked fails no call', async () => {
    const { cache, source, clock } = await setUpRead();
    const calls = [after(cache, '7')];
    for (let passed = 0; passed < 400; passed += 50) {
      await clock.pass(50);
      calls.push(after(cache, '7'));
    }
    source.newest = '8';
    await clock.pass(400);
    for (const call of await Promise.all(calls)) expect(call).toBe('8 miss value-8');
    expect(source.reads).toBeLessThanOrEqual(4);
  });

  test('the waiting ends as soon as the version comes another way', async () => {
    const { cache, source, clock } = await setUpRead();
    await clock.pass(0);
    const call = after(cache, '7');
    await settle();
    source.newest = '8';
    cache.announce('8');
    await clock.pass(100);
    expect(await call).toBe('8 miss value-8');
  });

  test('a refusal for good stands after two seconds, and no call is refused later than that', async () => {
    const { cache, source, clock } = await setUpRead();
    const calls = [after(cache, '7')];
    await clock.pass(1000);
    calls.push(after(cache, '7'));
    await clock.pass(1000);
    expect(await Promise.all(calls)).toEqual(['7 miss value-7', '7 miss value-7']);
    expect(source.reads).toBe(5);
  });

  test('a refusal for good is no read a call: one every two seconds', async () => {
    const { cache, source, clock } = await setUpRead();
    const first = after(cache, '7');
    await clock.pass(2000);
    await first;
    const before = source.reads;
    for (let call = 0; call < 1000; call += 1) {
      expect(await after(cache, '7')).toMatch(/^7 /u);
      await clock.pass(20);
    }
    expect(source.reads - before).toBeLessThanOrEqual(12);
    expect(source.reads - before).toBeGreaterThanOrEqual(9);
  });

  test('a version that comes late, long after the refusals began, is found within two seconds', async () => {
    const { cache, source, clock } = await setUpRead();
    const first = after(cache, '7');
    await clock.pass(20_000);
    await first;
    await after(cache, '7');
    source.newest = '8';
    await clock.pass(2000);
    expect(await after(cache, '7')).toBe('8 miss value-8');
  });

  test('a refusal a minute later is a new story, with its grace', async () => {
    const { cache, source, clock } = await setUpRead();
    const first = after(cache, '7');
    await clock.pass(2000);
    await first;
    await clock.pass(60_000);
    const later = after(cache, '7');
    await clock.pass(100);
    source.newest = '8';
    await clock.pass(300);
    expect(await later).toBe('8 miss value-8');
  });

  test('while the source is away the call fails with its reason, without a read a call', async () => {
    const { cache, source } = await setUpRead();
    source.newest = 'SourceSealed';
    expect(await reasonOf(() => cache.grantAfterRefusal('7'))).toBe('SourceSealed');
    for (let call = 0; call < 100; call += 1) expect(await reasonOf(() => cache.grantAfterRefusal('7'))).toBe('SourceSealed');
    expect(source.reads).toBe(2);
  });

  test('a pinned version that is refused gives way to the newest, until the TTL', async () => {
    const { cache, source, clock, pin } = setUp();
    pin('7');
    source.newest = '9';
    cache.open('7');
    expect(await get(cache)).toBe('7 miss value-7');
    expect(await after(cache, '7')).toBe('9 miss value-9');
    expect(await get(cache)).toBe('9 hit value-9');
    await clock.pass(60_000);
    expect(await get(cache)).toBe('7 hit value-7');
  });

  test('a source that is changed while a call waits answers it, though its version has the same name', async () => {
    const { cache, clock } = await setUpRead();
    const call = after(cache, '7');
    await clock.pass(50);
    cache.open('7');
    await clock.pass(200);
    expect(await call).toMatch(/^7 (hit|miss) value-7$/u);
  });
});

test('a stopped cache leaves no timer', async () => {
  const { cache, clock } = await setUpRead();
  await get(cache);
  const waiting = reasonOf(() => cache.grantAfterRefusal('7'));
  await settle();
  cache.block(new Failure('SourceUnreachable'));
  expect(await waiting).toBe('SourceUnreachable');
  await settle();
  expect(clock.pending()).toBe(0);
});
