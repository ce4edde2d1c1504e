import { customResourceDefinition, definitions } from './definition.ts';

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

test.each(all)('%s is structural and bounded', (_path, node) => {
  expect(['anyOf', 'oneOf', 'allOf', '$ref', 'propertyNames'].filter((key) => key in node)).toEqual([]);
  expect(typeof node.type).toBe('string');
  if (node.properties !== undefined) expect(node).not.toHaveProperty('additionalProperties');
  if (node.type === 'array') expect(node.maxItems).toBeGreaterThan(0);
  expect(String(node.pattern ?? '')).not.toMatch(/\(\?[=!<]/u);
  expect(Number(node.maximum ?? 0)).toBeLessThan(Number.MAX_SAFE_INTEGER);
});

test.each(all.filter(([path, node]) => node.type === 'string' && path.includes('.spec.')))(
  '%s has a bound on its length',
  (_path, node) => {
    expect(node.maxLength ?? node.enum).toBeDefined();
  },
);
