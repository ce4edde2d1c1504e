import { blockOf, writesIn } from '@rekey/lib/page.fixture.ts';
import { apply, get, kubectl, list, refusal } from './lib/kube.ts';
import { until } from './lib/run.ts';
import type { Action } from './lib/rights.ts';
import { allowed } from './lib/rights.ts';
import { githubCredential, probePod, sandbox, startProbe } from './lib/sandbox.ts';
import { connect } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';

let stack: Stack;
const space = 'e2e-identity';
const path = `mcp/${space}-probe`;

beforeAll(async () => {
  stack = await connect();
  await stack.vault.write(path, { token: 'a-value-that-the-operator-must-not-read' });
  await writePage();
  await kubectl('create', 'namespace', 'e2e-elsewhere').catch(() => '');
  await sandbox(space);
  await apply([githubCredential(space, 'probe')]);
  await until('the webhook knows the credential', 30, async () =>
    (await refusal(await probePod(space, 'probe'))) === '' ? true : undefined,
  );
  await startProbe(space, 'probe');
}, 180_000);

/** Roles and policies as the page tells people to write them, for the namespace of this test and under names of their own. */
async function writePage(): Promise<void> {
  await stack.vault.writePolicy('page-mcp', blockOf('vault', 'sidecar-policy'));
  await stack.vault.writePolicy('page-rekey-operator', blockOf('vault', 'operator-policy'));
  for (const { path: role, fields } of writesIn(blockOf('vault', 'kubernetes-roles'))) {
    const bound = fields['bound_service_account_namespaces'] === 'tools' ? { bound_service_account_namespaces: space } : {};
    const own = { ...fields, ...bound, token_policies: `page-${String(fields['token_policies'])}` };
    const { status } = await stack.vault.request('POST', role.replace('/role/', '/role/page-'), own);
    expect([role, status]).toEqual([role, 204]);
  }
}

const token = (namespace: string, account: string, ...audience: string[]): Promise<string> =>
  kubectl('create', 'token', account, '-n', namespace, ...audience.map((one) => `--audience=${one}`)).then((text) => text.trim());

/** Logs in to Vault; resolves with the client token, or undefined when Vault refuses. */
async function login(role: string, jwt: string): Promise<string | undefined> {
  const { status, json } = await stack.vault.request('POST', 'auth/kubernetes/login', { role, jwt });
  return status === 200 ? (json as { auth: { client_token: string } }).auth.client_token : undefined;
}

describe('the operator cannot read a value', () => {
  test('it has no verb on secrets, anywhere and in each namespace', async () => {
    const namespaces = (await list<{ metadata: { name: string } }>('namespaces')).map(({ metadata }) => metadata.name);
    const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
    const secrets = [undefined, ...namespaces].flatMap((namespace) =>
      verbs.map((verb) => ({ verb, resource: 'secrets', ...(namespace === undefined ? {} : { namespace }) })),
    );
    const mayRead = await allowed('rekey-system', 'rekey-operator', secrets);
    expect(secrets.filter((_action, index) => mayRead[index])).toEqual([]);
    // The same question about what it must have: an authorizer that knows neither would answer no to all.
    expect(await allowed('rekey-system', 'rekey-operator', [{ verb: 'list', resource: 'pods' }])).toEqual([true]);
  }, 60_000);

  test('its identity gets metadata from Vault and is refused the value', async () => {
    const jwt = await token('rekey-system', 'rekey-operator', 'vault');
    const client = await login('page-rekey-operator', jwt);
    expect(client).toBeDefined();
    const as = (where: string): Promise<{ status: number }> => stack.vault.request('GET', where, undefined, client);
    expect(await as(`kv/metadata/${path}`)).toMatchObject({ status: 200 });
    expect(await as(`kv/data/${path}`)).toMatchObject({ status: 403 });
  }, 30_000);
});

describe('the identity is the sidecar alone', () => {
  test('a token for the audience of the role logs in', async () => {
    expect(await login('page-mcp', await token(space, 'default', 'vault'))).toBeDefined();
  }, 30_000);

  test('the app container own token, for the API server, is refused', async () => {
    expect(await login('page-mcp', await token(space, 'default'))).toBeUndefined();
  }, 30_000);

  test('a token of another namespace is refused', async () => {
    expect(await login('page-mcp', await token('e2e-elsewhere', 'default', 'vault'))).toBeUndefined();
  }, 30_000);

  test('only the sidecar mounts the identity and the CA key', async () => {
    const pods = await list<{ metadata: { name: string }; spec: { containers: Mounting[]; initContainers: Mounting[] } }>(
      'pods',
      '-A',
      '-l',
      'rekey.dev/injected=true',
    );
    expect(pods.map(({ metadata }) => metadata.name)).toContain('probe');
    for (const { spec } of pods) {
      const mounting = [...spec.initContainers, ...spec.containers].filter(({ volumeMounts }) =>
        volumeMounts?.some(({ name }) => name === 'rekey-identity' || name === 'rekey-ca'),
      );
      expect(mounting.map(({ name }) => name)).toEqual(['rekey']);
    }
  }, 30_000);
});

interface Mounting {
  name: string;
  volumeMounts?: { name: string }[];
}

test('a pod may read the credentials of its namespace and write its binding, and nothing else', async () => {
  const group = 'rekey.dev';
  const ask = (actions: readonly Action[]): Promise<boolean[]> => allowed(space, 'default', actions);
  expect(
    await ask([
      { verb: 'watch', group, resource: 'mcpcredentials', namespace: space },
      { verb: 'patch', group, resource: 'mcpcredentialbindings', subresource: 'status', namespace: space },
    ]),
  ).toEqual([true, true]);
  const forbidden = [
    { verb: 'patch', group, resource: 'mcpcredentials', namespace: space },
    { verb: 'patch', group, resource: 'mcpcredentials', subresource: 'status', namespace: space },
    { verb: 'patch', group, resource: 'mcpcredentialbindings', namespace: space },
    { verb: 'watch', group, resource: 'mcpcredentials', namespace: 'e2e-elsewhere' },
    { verb: 'get', resource: 'secrets', namespace: space },
    { verb: 'create', resource: 'pods', subresource: 'exec', namespace: space },
  ];
  expect(await ask(forbidden)).toEqual(forbidden.map(() => false));
}, 30_000);

test('the default store is made by the operator from the values of the chart', async () => {
  const store = await until('the default store', 30, () => get<{ spec: { vault: { address: string } } }>('mcpcredentialstore', 'default'));
  expect(store.spec.vault.address).toBe('https://vault.vault.svc:8200');
}, 60_000);

afterAll(async () => {
  await stack.vault.remove(path);
  await kubectl('delete', 'namespace', 'e2e-elsewhere', space, '--wait=false');
});
