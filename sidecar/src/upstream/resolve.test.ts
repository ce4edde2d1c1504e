import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isForbiddenAddress } from './address.ts';
import type { FakeDns } from './dns.fake.ts';
import { startDns } from './dns.fake.ts';
import { candidates, searchListOf } from './resolv-conf.ts';
import { createLookup } from './resolve.ts';

const forbidden = [
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '169.254.169.254',
  '169.254.170.2',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'fd00:ec2::254',
  'fd20:ce::254',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::169.254.169.254',
];
const allowed = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '140.82.112.5',
  '100.64.0.1',
  '2606:50c0:8000::154',
  'fd00::1',
  '64:ff9b::8c52:7005',
];

test.each(forbidden)('no upstream has the address %s', (address) => {
  expect(isForbiddenAddress(address)).toBe(true);
});

test.each(allowed)('an upstream may have the address %s', (address) => {
  expect(isForbiddenAddress(address)).toBe(false);
});

test('loopback is allowed only when asked for', () => {
  expect(['127.0.0.1', '::1', '169.254.169.254'].map((address) => isForbiddenAddress(address, true))).toEqual([false, false, true]);
});

test.each([
  ['search a.b c.d.\noptions ndots:5 timeout:1', { domains: ['a.b', 'c.d'], ndots: 5 }],
  ['nameserver 10.0.0.1', { domains: [], ndots: 1 }],
  ['domain a.b\nsearch\toptions:x  c.d\noptions ndots:99', { domains: ['options:x', 'c.d'], ndots: 15 }],
])('resolv.conf: %j', (text, list) => {
  expect(searchListOf(text)).toEqual(list);
});

test('a name with fewer dots than ndots is looked for in the search list first', () => {
  const list = { domains: ['tools.svc.cluster.local', 'svc.cluster.local'], ndots: 2 };
  expect(candidates('vault.vault', list)).toEqual(['vault.vault.tools.svc.cluster.local', 'vault.vault.svc.cluster.local', 'vault.vault']);
  expect(candidates('api.github.com', list)).toEqual(['api.github.com']);
});

describe('lookup', () => {
  let dns: FakeDns;
  let now = 0;
  beforeEach(async () => {
    now = 0;
    dns = await startDns({ 'api.github.com': { a: ['140.82.112.5'], aaaa: ['2606:50c0:8000:0:0:0:0:154'], ttl: 60 } });
  });
  afterEach(() => dns.stop());

  const create = (resolvConf = ''): LookupFunction => createLookup({ servers: dns.servers, resolvConf, now: () => now });
  const addresses = (lookup: LookupFunction, name: string): Promise<string[]> =>
    new Promise((resolve, reject) => {
      lookup(name, { all: true }, (error, found) => {
        if (error === null) resolve((found as LookupAddress[]).map(({ address }) => address));
        else reject(error);
      });
    });

  test('gives IPv4 and IPv6 addresses, or one of the family that is asked for', async () => {
    const lookup = create();
    expect(await addresses(lookup, 'api.github.com')).toEqual(['140.82.112.5', '2606:50c0:8000::154']);
    const one = await new Promise((resolve) => lookup('api.github.com', { family: 6 }, (...answer) => resolve(answer)));
    expect(one).toEqual([null, '2606:50c0:8000::154', 6]);
  });

  test('asks once for many calls, and again when the time to live is over', async () => {
    const lookup = create();
    await Promise.all([1, 2, 3].map(() => addresses(lookup, 'api.github.com')));
    now = 59_999;
    await addresses(lookup, 'api.github.com');
    expect(dns.asked).toEqual(['api.github.com']);
    now = 60_000;
    dns.zone['api.github.com'] = { a: ['140.82.112.6'] };
    expect(await addresses(lookup, 'api.github.com')).toEqual(['140.82.112.6']);
  });

  test('keeps the last good address for 30 s when DNS is down, and not when the name is gone', async () => {
    const lookup = create();
    await addresses(lookup, 'api.github.com');
    dns.broken = true;
    now = 89_000;
    expect(await addresses(lookup, 'api.github.com')).toHaveLength(2);
    now = 91_000;
    await expect(addresses(lookup, 'api.github.com')).rejects.toMatchObject({ reason: 'UpstreamUnreachable' });
    dns.broken = false;
    await addresses(lookup, 'api.github.com');
    delete dns.zone['api.github.com'];
    now += 61_000;
    await expect(addresses(lookup, 'api.github.com')).rejects.toMatchObject({ reason: 'UpstreamNameNotFound' });
  });

  test('walks the search list, and asks first for what answered the last time', async () => {
    dns.zone['vault.vault.svc.cluster.local'] = { a: ['10.96.0.7'], ttl: 5 };
    const lookup = create('search tools.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5');
    expect(await addresses(lookup, 'vault.vault.svc')).toEqual(['10.96.0.7']);
    expect(dns.asked).toEqual([
      'vault.vault.svc.tools.svc.cluster.local',
      'vault.vault.svc.svc.cluster.local',
      'vault.vault.svc.cluster.local',
    ]);
    now = 6000;
    await addresses(lookup, 'vault.vault.svc');
    expect(dns.asked.slice(3)).toEqual(['vault.vault.svc.cluster.local']);
    expect(await addresses(lookup, 'api.github.com')).toHaveLength(2);
  });

  test('gives no forbidden address, and fails when there is no other', async () => {
    dns.zone['mixed.test'] = { a: ['127.0.0.1', '10.0.0.1', '169.254.169.254'], aaaa: ['0:0:0:0:0:ffff:7f00:1'] };
    dns.zone['rebound.test'] = { a: ['127.0.0.1'], aaaa: ['0:0:0:0:0:0:0:1'] };
    expect(await addresses(create(), 'mixed.test')).toEqual(['10.0.0.1']);
    await expect(addresses(create(), 'rebound.test')).rejects.toMatchObject({ reason: 'UpstreamAddressForbidden' });
    await expect(addresses(create(), '10.0.0.1')).rejects.toMatchObject({ reason: 'UpstreamAddressForbidden' });
  });

  test("does not read the pod's hosts file", async () => {
    await expect(addresses(create(), 'localhost')).rejects.toMatchObject({ reason: 'UpstreamNameNotFound' });
  });
});
