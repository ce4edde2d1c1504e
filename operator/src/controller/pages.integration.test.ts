import { readdirSync } from 'node:fs';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import { apiPath } from '@rekey/crds/names.ts';
import { blockOf } from '@rekey/lib/page.fixture.ts';
import { parse } from 'yaml';
import { startApiServer } from './api-server.real.ts';
import type { RealApiServer, Said } from './api-server.real.ts';

// What the page of each source tells people to apply, on a real API server that takes no field it does not know.
let api: RealApiServer;

beforeAll(async () => {
  api = await startApiServer();
  await api.admin.apply('/api/v1/namespaces/tools', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tools' } });
}, 120_000);
afterAll(() => api.stop());

const apply = (path: string, block: string): Promise<Said> =>
  api.ask({ method: 'POST', path: `${apiPath}/${path}?fieldValidation=Strict&dryRun=All`, body: parse(block) as object });

const kinds = { vault: 'vault', aws: 'awsSecretsManager', gcp: 'gcpSecretManager', kubernetes: 'kubernetesSecret' } as const;
const pages = Object.keys(kinds) as (keyof typeof kinds)[];

test('each page is tested here', () => {
  const files = readdirSync(new URL('../../../docs/sources', import.meta.url)).filter((name) => name !== 'README.md');
  expect(files.sort()).toEqual(pages.map((page) => `${page}.md`).sort());
});

test.each(pages)('the credential of the page %s', async (page) => {
  const { status, message, body } = await apply('namespaces/tools/mcpcredentials', blockOf(page, 'credential'));
  expect([status, message]).toEqual([201, '']);
  expect(Object.keys((body['spec'] as { source: CredentialSource }).source)).toEqual([kinds[page]]);
});

test.each(pages.filter((page) => page !== 'kubernetes'))('the store of the page %s', async (page) => {
  const { status, message, body } = await apply('mcpcredentialstores', blockOf(page, 'store'));
  expect([status, message]).toEqual([201, '']);
  expect(Object.keys(body['spec'] as object)).toContain(kinds[page]);
});

test('a field that is misspelt is told', async () => {
  const { message } = await apply('namespaces/tools/mcpcredentials', blockOf('vault', 'credential').replace('env:', 'envs:'));
  expect(message).toContain('unknown field "spec.envs"');
});
