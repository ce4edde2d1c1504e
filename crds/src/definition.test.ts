import { customResourceDefinition, definitions } from './definition.ts';
import { unobserved } from './parts.ts';

interface Node {
  [key: string]: unknown;
}

/** Every schema below `properties`, `items` and `additionalProperties`, with its path. */
function* schemas(node: Node, path: string): Generator<[string, Node]> {
  yield [path, node];
  for (const [name, child] of Object.entries((node.properties ?? {}) as Record<string, Node>)) yield* schemas(child, `${path}.${name}`);
  if (node.items !== undefined) yield* schemas(node.items as Node, `${path}[]`);
  if (typeof node.additionalProperties === 'object') yield* schemas(node.additionalProperties as Node, `${path}{}`);
}

const all = definitions.flatMap((definition) => {
  const crd = customResourceDefinition(definition) as { spec: { versions: [{ schema: { openAPIV3Schema: Node } }] } };
  return [...schemas(crd.spec.versions[0].schema.openAPIV3Schema, definition.kind)];
});

test('kubectl get shows first what a person asks of a credential, and the rest with -o wide', () => {
  const columns = definitions.find(({ kind }) => kind === 'MCPCredential')?.columns ?? [];
  const shown = (wide: boolean): string[] => columns.filter(({ priority = 0 }) => priority > 0 === wide).map(({ name }) => name);
  expect(shown(false)).toEqual(['Ready', 'Version', 'Pods', 'Rotated', 'Revocable', 'Expires', 'Age']);
  expect(shown(true)).toEqual(['Reason', 'Source', 'Hosts', 'Phase']);
});

const of = (predicate: (node: Node, path: string) => boolean): [string, Node][] => all.filter(([path, node]) => predicate(node, path));

test.each(all)('%s is a structural schema', (_path, node) => {
  expect(['anyOf', 'oneOf', 'allOf', '$ref', 'propertyNames'].filter((key) => key in node)).toEqual([]);
  expect(typeof node.type).toBe('string');
});

test.each(of((node) => node.properties !== undefined))('%s has properties and no additionalProperties beside them', (_path, node) => {
  expect(node).not.toHaveProperty('additionalProperties');
});

test.each(of((node) => node.type === 'object'))('%s has no empty properties, which the API server would drop', (_path, node) => {
  expect(node.properties).not.toEqual({});
});

test.each(of((node) => node.type === 'array'))('%s is a bounded list', (_path, node) => {
  expect(node.maxItems).toBeGreaterThan(0);
});

test.each(of((node) => typeof node.pattern === 'string'))('%s has a pattern without look-around, which RE2 lacks', (_path, node) => {
  expect(node.pattern).not.toMatch(/\(\?[=!<]/u);
});

test.each(of((node) => node.type === 'integer'))('%s has bounds of its own, not those of a double', (path, node) => {
  expect(node.maximum).not.toBe(Number.MAX_SAFE_INTEGER);
  expect(node.minimum).toBeGreaterThanOrEqual(path.endsWith('.status.observedGeneration') ? unobserved : 0);
});

test.each(of((node, path) => node.type === 'string' && path.includes('.spec.')))('%s has a bound on its length', (_path, node) => {
  expect(node.maxLength ?? node.enum).toBeDefined();
});
