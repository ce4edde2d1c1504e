import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import { badInputs, goodInputs, goodSpec } from '@rekey/crds/rules.table.ts';
import { startApiServer } from './api-server.real.ts';
import type { RealApiServer, Said } from './api-server.real.ts';

// The CEL twin of each rule, at a real API server.
let api: RealApiServer;
beforeAll(async () => {
  api = await startApiServer();
}, 120_000);
afterAll(() => api.stop());

const tried = (spec: object): Promise<Said> => {
  const body = { apiVersion, kind: 'MCPCredential', metadata: { name: 'tried' }, spec: { ...goodSpec, ...spec } };
  return api.ask({ method: 'POST', path: `${apiPath}/namespaces/default/mcpcredentials?dryRun=All`, body });
};

test.each(badInputs)('$name is refused with its own message', async ({ spec, message }) => {
  expect((await tried(spec)).message).toContain(message);
});

test.each(Object.entries(goodInputs))('%s is taken', async (_name, spec) => {
  expect(await tried(spec)).toMatchObject({ status: 201, message: '' });
});

test('an object that no operator has looked at is not current by the rules of kstatus', async () => {
  const path = `${apiPath}/namespaces/default/mcpcredentials/new`;
  await api.admin.apply(path, { apiVersion, kind: 'MCPCredential', metadata: { name: 'new' }, spec: goodSpec });
  const read = await api.admin.read<Credential>(path);
  expect([read?.metadata.generation, read?.status]).toEqual([1, { observedGeneration: -1 }]);
});
