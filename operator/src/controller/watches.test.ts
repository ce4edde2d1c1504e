import { once } from 'node:events';
import { Readable } from 'node:stream';
import { emptyState } from './state.ts';
import { placesOf, Watches } from './watches.ts';

const pathsOf = (...asked: Parameters<typeof placesOf>): string[] =>
  placesOf(...asked).map(({ path, query }) => `${path}?${new URLSearchParams(query).toString()}`);

test('an operator for all namespaces watches each kind once', () => {
  expect(pathsOf('credentials', [])).toEqual(['/apis/rekey.dev/v1alpha1/mcpcredentials?']);
  expect(pathsOf('namespaces', [])).toEqual(['/api/v1/namespaces?']);
  expect(pathsOf('pods', [])).toEqual(['/api/v1/pods?labelSelector=rekey.dev%2Finjected%3Dtrue']);
});

test('an operator for some watches what is in them, in each', () => {
  expect(pathsOf('bindings', ['tools', 'agents'])).toEqual([
    '/apis/rekey.dev/v1alpha1/namespaces/tools/mcpcredentialbindings?',
    '/apis/rekey.dev/v1alpha1/namespaces/agents/mcpcredentialbindings?',
  ]);
  expect(pathsOf('pods', ['tools'])).toEqual(['/api/v1/namespaces/tools/pods?labelSelector=rekey.dev%2Finjected%3Dtrue']);
  expect(pathsOf('roleBindings', ['tools'])).toEqual([
    '/apis/rbac.authorization.k8s.io/v1/namespaces/tools/rolebindings?fieldSelector=metadata.name%3Drekey-sidecar',
  ]);
});

test('it needs no right to see other namespaces, and stores have none', () => {
  expect(pathsOf('namespaces', ['tools'])).toEqual(['/api/v1/namespaces?fieldSelector=metadata.name%3Dtools']);
  expect(pathsOf('stores', ['tools', 'agents'])).toEqual(['/apis/rekey.dev/v1alpha1/mcpcredentialstores?']);
});

test('the status that the definition gives a new object is none', async () => {
  const items = [-1, 1].map((observedGeneration) => {
    const name = `at${observedGeneration}`;
    return { metadata: { name, uid: name, resourceVersion: '1' }, status: { observedGeneration } };
  });
  const end = new AbortController();
  const watches = new Watches({
    get: async (path, signal) => {
      if (path.includes('watch=')) await once(signal, 'abort');
      const listed = path.includes('mcpcredential') && !path.includes('bindings') ? items : [];
      return { status: 200, body: Readable.from([JSON.stringify({ metadata: { resourceVersion: '1' }, items: listed })]) };
    },
    log: () => undefined,
    signal: end.signal,
    state: emptyState(),
    namespaces: [],
  });
  const seen: unknown[] = [];
  watches.onChange = ({ kind, key, after }) => seen.push([kind, key, (after as { status?: unknown }).status]);
  await watches.ready;
  end.abort();
  const expected = (kind: string): unknown[] => [
    [kind, 'at-1', undefined],
    [kind, 'at1', { observedGeneration: 1 }],
  ];
  expect(seen).toEqual([...expected('credentials'), ...expected('stores')]);
});
