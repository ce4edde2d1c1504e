import type { Binding } from '@rekey/crds/binding.ts';
import { route } from './route.ts';
import type { Queues } from './route.ts';
import { emptyState } from './state.ts';

const before: Binding = {
  metadata: { name: 'a', namespace: 'tools', uid: '1', ownerReferences: [{ uid: 'pod' }] },
  spec: { podUID: 'pod', serviceAccount: 'default', credentials: ['github'] },
  status: { credentials: [{ name: 'github', version: '1', since: '2026-01-01T00:00:00Z' }] },
};

/** The queues that a change of the binding reaches. */
function reached(after: Binding | undefined): string[] {
  const added = new Set<string>();
  const queue = (name: string): { add: () => unknown } => ({ add: () => added.add(name) });
  const names = ['credentials', 'stores', 'pods', 'namespaces'];
  const queues = Object.fromEntries(names.map((name) => [name, queue(name)])) as unknown as Queues;
  const state = emptyState();
  state.credentials.set({ metadata: { name: 'github', namespace: 'tools' }, spec: { version: '' } } as never);
  route({ kind: 'bindings', key: 'tools/a', before, after }, { queues, state, ask: () => undefined });
  return [...added];
}

test('what a pod reports concerns its credentials, and not the binding that was made for it', () => {
  const status = { credentials: [{ name: 'github', version: '2', since: '2026-01-02T00:00:00Z' }] };
  expect(reached({ ...before, status })).toEqual(['credentials']);
});

test.each<[string, string[]]>([
  ['one of them has another version', ['github 2', 'slack 1']],
  ['one of them is gone', ['slack 1']],
])('a report concerns the credentials of which it says something new: %s', (_name, uses) => {
  const reporting = (texts: readonly string[]): Binding => {
    const credentials = texts.map((text) => text.split(' ') as [string, string]).map(([name, version]) => ({ name, version, since: '' }));
    return { ...before, status: { credentials } };
  };
  const [state, keys, asked] = [emptyState(), [] as string[], [] as string[]];
  for (const name of ['github', 'slack']) {
    state.credentials.set({ metadata: { name, namespace: 'tools' }, spec: { version: '' }, status: { version: '1' } } as never);
  }
  const queues = { credentials: { add: (key: string) => keys.push(key) } } as unknown as Queues;
  const change = { kind: 'bindings', key: 'tools/a', before: reporting(['github 1', 'slack 1']), after: reporting(uses) } as const;
  route(change, { queues, state, ask: (key) => asked.push(key) });
  expect(keys).toEqual(['tools/github']);
  expect(asked).toEqual(uses.includes('github 2') ? ['tools/github'] : []);
});

test('what a binding says concerns its credentials anew once it is of another pod', () => {
  expect(reached({ ...before, spec: { ...before.spec, podUID: 'other' } })).toEqual(['pods', 'credentials']);
});

test.each<[string, Binding | undefined]>([
  ['is gone', undefined],
  ['was made again', { ...before, metadata: { ...before.metadata, uid: '2' } }],
  ['has another owner', { ...before, metadata: { ...before.metadata, ownerReferences: [] } }],
  ['says another pod', { ...before, spec: { ...before.spec, podUID: 'other' } }],
])('a binding that %s is looked at', (_name, after) => {
  expect(reached(after)).toContain('pods');
});
