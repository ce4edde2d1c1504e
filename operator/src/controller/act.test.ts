import type { Credential, CredentialStatus } from '@rekey/crds/credential.ts';
import { apiVersion } from '@rekey/crds/names.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import type { Store } from '@rekey/crds/store.ts';
import { Registry } from 'prom-client';
import type { FakeApiServer } from '../api-server.fake.ts';
import { startFakeApiServer } from '../api-server.fake.ts';
import { kubernetes } from '../kubernetes.ts';
import { actOnCredential, actOnStore } from './act.ts';
import type { ActContext } from './act.ts';
import { controllerMetrics } from './metrics.ts';
import { emptyState } from './state.ts';

const metadata = { name: 'github', namespace: 'tools', uid: 'u', resourceVersion: '7' };
const credential = { apiVersion, kind: 'MCPCredential', metadata, spec: goodSpec } as unknown as Credential;
const store = { metadata: { name: 'default', uid: 'v', resourceVersion: '7' }, spec: {} } as unknown as Store;
const status: CredentialStatus = { version: '2' };
/** The version of the objects that the API server has. */
let current: string;
let server: FakeApiServer;
let context: ActContext;
let told: string[];

beforeEach(async () => {
  [current, told] = ['7', []];
  server = await startFakeApiServer(({ body }) => {
    const written = body as Credential;
    if (written.metadata.resourceVersion !== current) return { status: 409, body: { reason: 'Conflict' } };
    return { status: 200, body: { ...written, metadata: { ...written.metadata, resourceVersion: '8' } } };
  });
  const state = emptyState();
  state.credentials.set(credential);
  context = {
    kubernetes: kubernetes(server.configuration),
    state,
    record: async (_object, news) => void told.push(...news.map(({ reason }) => reason)),
    metrics: controllerMetrics([new Registry()], state),
    log: (_level, message) => void told.push(message),
  };
});
afterEach(() => server.close());

test('a status is written over the very object that it was decided on, and is known at once', async () => {
  await actOnCredential(credential, status, context);
  await actOnStore(store, { observedGeneration: 1 }, context);
  expect(told).toEqual(['status written', 'status written']);
  expect(context.state.credentials.get('tools/github')).toMatchObject({ metadata: { resourceVersion: '8' }, status });
});

test('a status of an object that is another one by now is not written, and nobody is told of it', async () => {
  current = '8';
  await actOnCredential(credential, status, context);
  await actOnStore(store, { observedGeneration: 1 }, context);
  expect(server.received).toHaveLength(2);
  expect(told).toEqual([]);
  expect(context.state.credentials.get('tools/github')).toBe(credential);
});
