import { isAlive, trimPod, workloadOf } from './pod.ts';
import type { WholePod } from './pod.ts';

const whole = (change: Partial<WholePod['metadata']> = {}, phase = 'Running'): WholePod => ({
  metadata: { name: 'p', namespace: 'tools', uid: 'u', resourceVersion: '5', ...change },
  spec: {
    serviceAccountName: 'mcp',
    nodeName: 'node1',
    containers: [{ name: 'server', env: [{ name: 'MUCH', value: 'that is not kept' }] }],
  },
  status: { phase },
});

test('of a pod only what is read is kept', () => {
  const spec = {
    hosts: ['api.github.com'],
    env: [{ name: 'TOKEN' }],
    source: { vault: { path: 'a', key: 'b' } },
    storeRef: { name: 'here' },
    via: [{ proxy: { others: 'Tunnel' } }],
  };
  const elsewhere = { ...spec, storeRef: { name: 'not-yet' } };
  const own = { ...spec, source: { kubernetesSecret: { name: 'keys', key: 'notion' } }, storeRef: { name: 'unused' } };
  const here = { name: 'here', spec: { vault: { auth: { kubernetes: { audience: 'mine' } } } } };
  const credentials = [
    { name: 'github', spec },
    { name: 'gitlab', spec: elsewhere },
    { name: 'notion', spec: own },
  ];
  const snapshot = JSON.stringify({ credentials, stores: [here] });
  const audiences = { here: 'mine', 'not-yet': 'vault' };
  const injected = { hosts: ['api.github.com'], ways: ['proxy'], env: ['TOKEN'], audiences, secrets: ['keys/notion'] };
  expect(
    trimPod(whole({ annotations: { 'rekey.dev/snapshot': snapshot, 'rekey.dev/refresh': 'r', other: 'x' }, labels: { app: 'a' } })),
  ).toEqual({
    metadata: { name: 'p', namespace: 'tools', uid: 'u', resourceVersion: '5' },
    labels: { app: 'a' },
    phase: 'Running',
    deleting: false,
    serviceAccount: 'mcp',
    node: 'node1',
    workload: undefined,
    refresh: 'r',
    credentials: { github: injected, gitlab: injected, notion: injected },
    warnings: [],
  });
});

test('a pod carries no credential named as what every object inherits', () => {
  const { credentials } = trimPod(whole({ annotations: { 'rekey.dev/snapshot': '{"credentials":[],"stores":[]}' } }));
  expect([credentials['constructor'], trimPod(whole()).credentials['constructor']]).toEqual([undefined, undefined]);
});

test.each([undefined, '', '{', '[]', '{"credentials":7}', '{"credentials":[{"name":"x"}]}', 'null'])(
  'a snapshot %p that cannot be read is none',
  (text) => {
    expect(trimPod(whole({ annotations: text === undefined ? {} : { 'rekey.dev/snapshot': text } })).credentials).toEqual({});
  },
);

test.each([
  ['Running', undefined, true],
  ['Pending', undefined, true],
  ['Succeeded', undefined, false],
  ['Failed', undefined, false],
  ['Running', '2026-11-22T12:00:00Z', false],
])('a pod that is %s, deleted at %s, is alive: %s', (phase, deletionTimestamp, alive) => {
  expect(isAlive(trimPod(whole(deletionTimestamp === undefined ? {} : { deletionTimestamp }, phase)))).toBe(alive);
});

const owned = (kind: string, name: string, controller = true): WholePod['metadata'] => ({
  name: 'p',
  labels: { 'pod-template-hash': 'abc12' },
  ownerReferences: [{ kind, name, controller }],
});

test.each([
  [owned('ReplicaSet', 'mcp-github-abc12'), 'deployment/mcp-github'],
  [owned('ReplicaSet', 'of-somebody-else'), undefined],
  [owned('StatefulSet', 'mcp'), 'statefulset/mcp'],
  [owned('DaemonSet', 'mcp'), 'daemonset/mcp'],
  [owned('Job', 'mcp'), undefined],
  [owned('StatefulSet', 'mcp', false), undefined],
  [{ name: 'p' }, undefined],
])('what restarts a pod owned by %j is %s', (metadata, workload) => {
  expect(workloadOf(metadata)).toBe(workload);
});
