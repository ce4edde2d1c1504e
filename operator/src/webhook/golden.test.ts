import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { credentialSpec } from '@rekey/crds/credential.ts';
import type { Credential } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import type { SidecarSettings } from '../config.ts';
import type { Context, Outcome } from './inject.ts';
import { inject } from './inject.ts';
import { patchOf } from './patch.ts';
import type { Pod } from './pod.ts';

/*
 * Each testdata/<case>.input.yaml (a pod, and all that bears on it) has its <case>.golden.yaml (what becomes of it).
 * UPDATE_GOLDEN=1 writes the golden files anew: read the difference before it is committed.
 */
const directory = new URL('testdata/', import.meta.url);
const cases = readdirSync(directory)
  .filter((name) => name.endsWith('.input.yaml'))
  .map((name) => name.replace('.input.yaml', ''));

interface Input extends Omit<Context, 'settings'> {
  settings?: Partial<SidecarSettings>;
  pod: Pod;
}

const settings: SidecarSettings = {
  image: 'ghcr.io/example/rekey-sidecar:0.1.0',
  imagePullPolicy: 'IfNotPresent',
  resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
  extraCA: '',
  sysctls: true,
  logLevel: 'info',
  auditOTLP: '',
};

describe.each(cases)('%s', (name) => {
  const { pod, ...rest } = inputOf(name);
  const context = { ...rest, settings: { ...settings, ...rest.settings } };

  test('the patched pod is the golden one', () => {
    const before = structuredClone(pod);
    const result = patched(pod, inject(pod, context));
    expect(pod).toEqual(before);
    const file = new URL(`${name}.golden.yaml`, directory);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(file, stringify(result, { lineWidth: 0, aliasDuplicateObjects: false }));
    expect(result).toEqual(parse(readFileSync(file, 'utf8')));
  });

  test('injecting the result again changes nothing', () => {
    const once = inject(pod, context);
    const again = 'pod' in once ? inject(once.pod, context) : once;
    expect(again).toEqual(once);
  });
});

test('every golden file has its input', () => {
  const orphans = readdirSync(directory).filter(
    (name) => name.endsWith('.golden.yaml') && !existsSync(new URL(name.replace('.golden.', '.input.'), directory)),
  );
  expect(orphans).toEqual([]);
});

/** The defaults of the schema are filled in, as the API server does. */
function inputOf(name: string): Input {
  const input = parse(readFileSync(new URL(`${name}.input.yaml`, directory), 'utf8')) as Input;
  const credentials = input.credentials.map((credential): Credential => ({ ...credential, spec: credentialSpec.parse(credential.spec) }));
  const stores = input.stores.map((store): Store => ({ ...store, spec: storeSpec.parse(store.spec) }));
  return { ...input, credentials, stores };
}

/** The outcome with the pod that the API server makes of the patch. */
function patched(pod: Pod, outcome: Outcome): object {
  if (!('pod' in outcome)) return outcome;
  return { ...outcome, pod: apply(structuredClone(pod), JSON.parse(JSON.stringify(patchOf(pod, outcome.pod))) as Applied[]) };
}

interface Applied {
  op: string;
  path: string;
  value?: unknown;
}

/** RFC 6902 section 4, as far as we use it, and independent of how the patch was made. */
function apply(document: Pod, operations: readonly Applied[]): Pod {
  for (const operation of operations) {
    const [last, ...parents] = operation.path.slice(1).split('/').toReversed() as [string, ...string[]];
    const parent = parents.toReversed().reduce((node, key) => node[key] as Record<string, unknown>, document as Record<string, unknown>);
    if (operation.op === 'add' && !('value' in operation)) throw new Error(`${operation.path} has no value to be added`);
    if (operation.op === 'add') parent[last] = operation.value;
    else if (!(last in parent)) throw new Error(`${operation.path} is not there to be removed`);
    else delete parent[last];
  }
  return document;
}
