import type { Credential } from './credential.ts';
import { credentialSpec } from './credential.ts';
import { refreshOf } from './refresh.ts';
import { goodSpec } from './rules.table.ts';

const secret = (name: string, metadata: object = {}, source: object = { kubernetesSecret: { name: 'a', key: 'b' } }): Credential => ({
  metadata: { name, namespace: 'tools', generation: 1, ...metadata },
  spec: credentialSpec.parse({ ...goodSpec, source }),
});
const asked = { annotations: { 'rekey.dev/refresh': '1' } };

test('pods of other sources get none', () => {
  expect(refreshOf([secret('github', asked, goodSpec.source)])).toEqual({});
});

test('an edit and a request each make another one, in whichever order credentials are listed', () => {
  const all = [secret('a'), secret('b')];
  const values = [all, [secret('a', asked), secret('b')], [secret('a'), secret('b', { generation: 2 })], [secret('a')]].map(refreshOf);
  expect(new Set(values.map((value) => value['rekey.dev/refresh'])).size).toBe(4);
  expect(refreshOf(all.toReversed())).toEqual(values[0]);
});
