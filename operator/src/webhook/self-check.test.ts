import { Registry } from 'prom-client';
import { createAuthority, createServing } from '../certificate-authority.ts';
import type { Authority } from '../certificate-authority.ts';
import { parseConfig } from '../config.ts';
import type { SecureServer } from '../server.ts';
import { startWebhookServer } from '../server.ts';
import { webhookApp } from './app.ts';
import { admissionMetrics } from './metrics.ts';
import { passesSelfCheck } from './self-check.ts';

const name = 'rekey-operator.rekey-system.svc';
const day = 24 * 3_600_000;
const { sidecar: settings } = parseConfig({ REKEY_NAMESPACE: 'rekey-system', REKEY_SIDECAR_IMAGE: 'sidecar:1' });
const registry = new Registry();
const metrics = admissionMetrics(registry);
let authority: Authority;
let server: SecureServer;
let synced: boolean;

beforeAll(async () => {
  authority = await createAuthority(new Date());
  const state = { synced: () => synced, credentials: () => [], stores: () => [], namespaceLabels: () => undefined };
  const app = webhookApp({ state, settings, metrics, log: () => {}, draining: () => false, ownReview: 'mine' });
  server = await startWebhookServer(app, 0, await createServing(authority, [name], new Date()));
});
beforeEach(() => (synced = true));
afterAll(() => server.close());

const check = (change: { name?: string; uid?: string } = {}, ca = authority.cert): Promise<boolean> =>
  passesSelfCheck({ port: server.port, name, uid: 'mine', namespace: 'rekey-system', ...change }, ca);

test('a webhook that serves passes, among the CAs of other replicas too, and counts no admission for it', async () => {
  const other = await createAuthority(new Date());
  expect(await check()).toBe(true);
  expect(await check({}, other.cert + authority.cert)).toBe(true);
  expect(await registry.metrics()).not.toMatch(/rekey_admissions_total\{/u);
});

test('the CA of another replica alone does not do, nor none', async () => {
  expect(await check({}, (await createAuthority(new Date())).cert)).toBe(false);
  expect(await check({}, '')).toBe(false);
});

test('a certificate for another name does not do', async () => {
  expect(await check({ name: 'other.rekey-system.svc' })).toBe(false);
});

test('caches that have not synced do not do', async () => {
  synced = false;
  expect(await check()).toBe(false);
});

test('a review that is not our own is one as any other', async () => {
  expect(await check({ uid: 'theirs' })).toBe(false);
  expect(await registry.metrics()).toContain('rekey_admissions_total{result="unavailable",reason=""} 1');
});

test('a certificate that has run out does not do', async () => {
  server.setCertificate(await createServing(authority, [name], new Date(Date.now() - 2 * day)));
  expect(await check()).toBe(false);
  server.setCertificate(await createServing(authority, [name], new Date()));
  expect(await check()).toBe(true);
});

test('nobody who listens does not do', async () => {
  const { port, close } = await startWebhookServer(
    webhookApp({ state: {} as never, settings, metrics, log: () => {}, draining: () => false }),
    0,
    {
      ...(await createServing(authority, [name], new Date())),
    },
  );
  await close();
  expect(await passesSelfCheck({ port, name, uid: 'mine', namespace: 'rekey-system' }, authority.cert)).toBe(false);
});
