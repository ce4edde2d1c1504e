import { apiVersion } from '@rekey/crds/names.ts';
import type { Binding } from '@rekey/crds/binding.ts';
import type { FakeApiServer } from '../api-server.fake.ts';
import { startFakeApiServer } from '../api-server.fake.ts';
import { kubernetes } from '../kubernetes.ts';
import { reconcilePod } from './binding.ts';
import { trimPod } from './pod.ts';
import { emptyState } from './state.ts';
import type { State } from './state.ts';

let server: FakeApiServer;
let state: State;
let told: string[];
let answer: number;

beforeEach(async () => {
  [state, told, answer] = [emptyState(), [], 200];
  server = await startFakeApiServer(({ body }) => ({ status: answer, body: answer === 200 ? body : { reason: 'Conflict' } }));
  const snapshot = JSON.stringify({ credentials: [], stores: [] });
  const metadata = { name: 'p', namespace: 'tools', uid: 'new', resourceVersion: '9', annotations: { 'rekey.dev/snapshot': snapshot } };
  state.pods.set(trimPod({ metadata, spec: { nodeName: 'node1', containers: [] }, status: { phase: 'Running' } }));
});
afterEach(() => server.close());

const reconcile = (): Promise<number | undefined> =>
  reconcilePod('tools/p', {
    kubernetes: kubernetes(server.configuration),
    state,
    record: async (_object, news) => void told.push(...news.map(({ reason }) => reason)),
  });

const ofThePodBefore = (): Binding => ({
  apiVersion,
  kind: 'MCPCredentialBinding',
  metadata: { name: 'p', namespace: 'tools', uid: 'b', resourceVersion: '7' },
  spec: { podUID: 'old', serviceAccount: 'default', credentials: [] },
});

test('a pod without a binding gets one', async () => {
  await reconcile();
  expect(server.received.map(({ body }) => body)).toMatchObject([{ metadata: { name: 'p' }, spec: { podUID: 'new', node: 'node1' } }]);
  expect(server.received[0]?.body).not.toHaveProperty('metadata.resourceVersion');
});

test('the binding of the pod before it is taken over as it was known, and looked at again when it is another one by now', async () => {
  state.bindings.set(ofThePodBefore());
  expect(await reconcile()).toBeUndefined();
  expect(server.received[0]?.body).toMatchObject({ metadata: { resourceVersion: '7' }, spec: { podUID: 'new' } });
  answer = 409;
  expect(await reconcile()).toBeGreaterThan(0);
  expect(told).toEqual([]);
});

test('what else is said against it is tried again', async () => {
  answer = 500;
  await expect(reconcile()).rejects.toMatchObject({ status: 500 });
  expect(told).toEqual([]);
});
