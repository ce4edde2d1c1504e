import { X509Certificate } from 'node:crypto';
import type { FakeApiServer } from './api-server.fake.ts';
import { startFakeApiServer } from './api-server.fake.ts';
import type { Certificate } from './certificate.ts';
import { createAuthority, createServing } from './certificate-authority.ts';
import { createCertificate } from './certificate.ts';
import { kubernetes } from './kubernetes.ts';
import type { FakeWebhookConfiguration } from './webhook-configuration.fake.ts';
import { fakeWebhookConfiguration, webhook } from './webhook-configuration.fake.ts';

const hour = 3_600_000;
const name = 'rekey-operator.rekey-system.svc';
let server: FakeApiServer;
let configuration: FakeWebhookConfiguration;
let now: Date;
let replicas: Replica[];

beforeEach(async () => {
  now = new Date('2026-11-22T12:00:00Z');
  configuration = fakeWebhookConfiguration();
  server = await startFakeApiServer((received) => configuration.handler(received));
  replicas = [];
});
afterEach(async () => {
  for (const replica of replicas) await replica.stop();
  await server.close();
});

test('writes its CA into every webhook and changes nothing else of them', async () => {
  const { certificate, turn } = await replica();
  expect(certificate.trusted()).toBe(false);
  await turn();
  expect(certificate.trusted()).toBe(true);
  expect(configuration.bundles().map((bundle) => verifies(certificate, bundle))).toEqual([true, true]);
  expect(configuration.object?.webhooks).toMatchObject(['namespace', 'pod'].map((kind) => webhook(`${kind}.rekey.dev`)));
});

test('writes nothing when nothing has changed', async () => {
  const { turn } = await replica();
  for (let count = 0; count < 5; count += 1) await turn();
  expect(writes()).toBe(1);
});

test.each([
  ['emptied', ''],
  ['filled with garbage', 'garbage'],
])('mends a bundle that somebody has %s, at the next check', async (_what, text) => {
  const { certificate, turn } = await replica();
  await turn();
  configuration.write(text);
  await turn();
  expect(configuration.bundles().map((bundle) => verifies(certificate, bundle))).toEqual([true, true]);
});

test('is not trusted while a bundle that somebody has emptied cannot be mended', async () => {
  const { certificate, turn } = await replica();
  await turn();
  configuration.write('');
  configuration.writable = false;
  await turn();
  expect(certificate.trusted()).toBe(false);
});

test('a certificate never outlives its CA', async () => {
  const authority = await createAuthority(now);
  const late = new Date(authority.notAfter.getTime() - hour);
  const serving = await createServing(authority, [name], late);
  expect(new X509Certificate(serving.cert).validToDate).toEqual(new X509Certificate(authority.cert).validToDate);
});

test('checks at least once a minute, and sooner after a failure', async () => {
  const { turn, pauses } = await replica();
  await turn();
  configuration.failure = 500;
  await turn();
  expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
  expect(pauses.at(-1)).toBeLessThan(pauses.at(-2) ?? 0);
});

test('is not trusted while there is no webhook configuration', async () => {
  const { certificate, turn } = await replica();
  const { object } = configuration;
  configuration.object = undefined;
  await turn();
  expect(certificate.trusted()).toBe(false);
  configuration.object = object;
  await turn();
  expect(certificate.trusted()).toBe(true);
});

test('through twelve days, what it serves verifies with the bundle of half a minute ago', async () => {
  const { certificate, turn } = await replica();
  await turn();
  let bundle = configuration.bundles()[0] ?? '';
  const served = new Set<string>();
  for (let hours = 0; hours < 12 * 24; hours += 1) {
    now = new Date(now.getTime() + hour);
    await turn();
    served.add(certificate.current().cert);
    expect(verifies(certificate, bundle)).toBe(true);
    bundle = configuration.bundles()[0] ?? '';
  }
  expect(served.size).toBeGreaterThanOrEqual((12 * 24) / 17);
  expect(issuers(served)).toBe(2);
}, 60_000);

test('a new CA serves only when API servers have had 20 s to read it, however often it is looked at meanwhile', async () => {
  const { certificate, turn } = await replica();
  await turn();
  const before = certificate.current().cert;
  now = new Date(now.getTime() + 7 * 24 * hour);
  await turn();
  const bundle = configuration.bundles()[0] ?? '';
  const renewed = certificate.current().cert;
  for (let seconds = 0; seconds < 19; seconds += 1) {
    now = new Date(now.getTime() + 1000);
    await turn();
    expect(certificate.current().cert).toBe(renewed);
  }
  now = new Date(now.getTime() + 1000);
  await turn();
  expect(issuers([before, renewed])).toBe(1);
  expect(issuers([before, certificate.current().cert])).toBe(2);
  expect(verifies(certificate, bundle)).toBe(true);
});

test('is renewed without the API server, under the CA that it trusts', async () => {
  const { certificate, turn } = await replica();
  await turn();
  const bundle = configuration.bundles()[0] ?? '';
  configuration.failure = 500;
  const before = certificate.current();
  now = new Date(now.getTime() + 30 * hour);
  await turn();
  expect(certificate.current()).not.toBe(before);
  expect(verifies(certificate, bundle)).toBe(true);
});

test.each([
  ['an hour ahead', hour],
  ['an hour behind', -hour],
  ['three hours behind', -3 * hour],
  ['twenty days ahead', 20 * 24 * hour],
])('a clock that jumps %s leaves a certificate that verifies', async (_what, milliseconds) => {
  const { certificate, turn } = await replica();
  await turn();
  now = new Date(now.getTime() + milliseconds);
  await turn();
  expect(verifies(certificate, configuration.bundles()[0] ?? '')).toBe(true);
});

test('two replicas keep each other in the bundle and then write no more', async () => {
  const [a, b] = [await replica(), await replica()];
  for (let count = 0; count < 3; count += 1) {
    await a.turn();
    await b.turn();
  }
  const bundle = configuration.bundles()[0] ?? '';
  expect([verifies(a.certificate, bundle), verifies(b.certificate, bundle)]).toEqual([true, true]);
  expect(writes()).toBe(2);
});

test('CAs of earlier lives leave the bundle when they run out, and are few until then', async () => {
  for (let life = 0; life < 12; life += 1) await (await replica()).turn();
  expect(configuration.bundles()[0]?.match(/BEGIN/gu)).toHaveLength(7);
  now = new Date(now.getTime() + 11 * 24 * hour);
  await (await replica()).turn();
  expect(configuration.bundles()[0]?.match(/BEGIN/gu)).toHaveLength(1);
});

interface Replica {
  certificate: Certificate;
  pauses: number[];
  /** Resolves when one check is over. */
  turn: () => Promise<void>;
  stop: () => Promise<void>;
}

/** Runs the loop with a pause that ends when the test says so. */
async function replica(): Promise<Replica> {
  const pauses: number[] = [];
  const stopping = new AbortController();
  let resume = (): void => {};
  let paused = (): void => {};
  const pause = (milliseconds: number): Promise<void> => {
    pauses.push(milliseconds);
    paused();
    return new Promise((resolve) => (resume = resolve));
  };
  const options = { kubernetes: kubernetes(server.configuration), configuration: 'rekey-operator', names: [name], log: () => {} };
  const certificate = await createCertificate({ ...options, now: () => now, pause });
  let running: Promise<void> | undefined;
  const turn = async (): Promise<void> => {
    const over = new Promise<void>((resolve) => (paused = resolve));
    if (running === undefined) running = certificate.run(stopping.signal, () => {});
    else resume();
    await over;
  };
  const stop = async (): Promise<void> => {
    stopping.abort();
    resume();
    await running;
  };
  const made = { certificate, pauses, turn, stop };
  replicas.push(made);
  return made;
}

/** As a TLS client does it, but by the test's clock: name, dates, and a chain to a CA of the bundle that is still good. */
function verifies(certificate: Certificate, bundle: string): boolean {
  const leaf = new X509Certificate(certificate.current().cert);
  const isCurrent = ({ validFromDate, validToDate }: X509Certificate): boolean => validFromDate <= now && now < validToDate;
  const authorities = (bundle.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/gu) ?? []).map((pem) => new X509Certificate(pem));
  const issuer = authorities.find((authority) => leaf.checkIssued(authority) && leaf.verify(authority.publicKey));
  return leaf.checkHost(name) === name && isCurrent(leaf) && issuer !== undefined && issuer.ca && isCurrent(issuer);
}

function issuers(certificates: Iterable<string>): number {
  return new Set([...certificates].map((pem) => new X509Certificate(pem).issuer)).size;
}

function writes(): number {
  return server.received.filter(({ method }) => method === 'PATCH').length;
}
