import { definitions, structural } from './definition.ts';

interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  maxItems?: number;
  pattern?: string;
  'x-kubernetes-validations'?: { message: string }[];
}

/** The reference page, as Markdown, from the same definitions as the CRDs. */
export function referencePage(): string {
  const pages = definitions.map((definition) => {
    const { kind, scope, shortNames, description } = definition;
    const rows = [...fields('spec', structural(definition.spec), true), ...fields('status', structural(definition.status), false)];
    return [
      `## ${kind}`,
      '',
      description,
      '',
      `${scope}; short names: ${shortNames.map((name) => `\`${name}\``).join(', ')}.`,
      '',
      '| field | type | what it is |',
      '|---|---|---|',
      ...rows,
    ].join('\n');
  });
  return [
    '# API reference: rekey.dev/v1alpha1',
    '',
    'Generated from `crds/src` by `npm run generate`. Do not edit.',
    '',
    pages.join('\n\n'),
    '',
  ].join('\n');
}

function fields(path: string, schema: Schema, required: boolean): string[] {
  const own = row(path, schema, required);
  const nested = schema.items ?? schema;
  const suffix = schema.items === undefined ? '' : '[]';
  const children = Object.entries(nested.properties ?? {}).flatMap(([name, child]) =>
    fields(`${path}${suffix}.${name}`, child, nested.required?.includes(name) ?? false),
  );
  return [own, ...children];
}

function row(path: string, schema: Schema, required: boolean): string {
  const parts = [
    schema.description,
    required ? 'Required.' : undefined,
    schema.default === undefined ? undefined : `Default: \`${JSON.stringify(schema.default)}\`.`,
    schema.enum === undefined ? undefined : `One of ${schema.enum.map((value) => `\`${String(value)}\``).join(', ')}.`,
    bounds(schema),
    ...rules(schema),
  ];
  return `| \`${path}\` | ${typeOf(schema)} | ${parts
    .filter((part) => part !== undefined && part !== '')
    .join(' ')
    .replaceAll('|', '\\|')} |`;
}

function rules(schema: Schema): string[] {
  const all = [...(schema['x-kubernetes-validations'] ?? []), ...(schema.items?.['x-kubernetes-validations'] ?? [])];
  return all.map(({ message }) => `Rule: ${message}.`);
}

function bounds({ minimum, maximum, maxLength, maxItems }: Schema): string | undefined {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}.`;
  if (maxItems !== undefined) return `At most ${maxItems}.`;
  return maxLength === undefined ? undefined : `At most ${maxLength} characters.`;
}

function typeOf(schema: Schema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.additionalProperties !== undefined) return `map of ${typeOf(schema.additionalProperties)}`;
  return schema.format === 'date-time' ? 'time' : (schema.type ?? 'object');
}
