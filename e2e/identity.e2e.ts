import { list, kubectl, get } from './lib/kube.ts';
import { until } from './lib/run.ts';
import { connect } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';

let stack: Stack;
const path = 'mcp/e2e-identity';

beforeAll(async () => {
  stack = await connect();
  await stack.vault.write(path, { token: 'a-value-that-the-operator-must-not-read' });
  await kubectl('create', 'namespace', 'e2e-elsewhere').catch(() => '');
  await kubectl('create', 'namespace', 'tools').catch(() => '');
}, 60_000);

const token = (namespace: string, account: string, ...audience: string[]): Promise<string> =>
  kubectl('create', 'token', account, '-n', namespace, ...audience.map((one) => `--audience=${one}`)).then((text) => text.trim());

/** Logs in to Vault; resolves with the client token, or undefined when Vault refuses. */
async function login(role: string, jwt: string): Promise<string | undefined> {
  const { status, json } = await stack.vault.request('POST', 'auth/kubernetes/login', { role, jwt });
  return status === 200 ? (json as { auth: { client_token: string } }).auth.client_token : undefined;
}

describe('the operator cannot read a value', () => {
  test.each(['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'])(
    'it may not %s secrets, anywhere',
    async (verb) => {
      const answer = await kubectl(
        'auth',
        'can-i',
        verb,
        'secrets',
        '--all-namespaces',
        '--as=system:serviceaccount:rekey-system:rekey-operator',
      ).catch((error: Error) => error.message);
      expect(answer).toContain('no');
      expect(answer).not.toMatch(/^yes/mu);
    },
    30_000,
  );

  test('its identity gets metadata from Vault and is refused the value', async () => {
    const jwt = await token('rekey-system', 'rekey-operator', 'vault');
    const client = await login('rekey-operator', jwt);
    expect(client).toBeDefined();
    const as = (where: string): Promise<{ status: number }> => stack.vault.request('GET', where, undefined, client);
    expect(await as(`kv/metadata/${path}`)).toMatchObject({ status: 200 });
    expect(await as(`kv/data/${path}`)).toMatchObject({ status: 403 });
  }, 30_000);
});

describe('the identity is the sidecar alone', () => {
  test('a token for the audience of the role logs in', async () => {
    expect(await login('mcp', await token('tools', 'default', 'vault'))).toBeDefined();
  }, 30_000);

  test('the app container own token, for the API server, is refused', async () => {
    expect(await login('mcp', await token('tools', 'default'))).toBeUndefined();
  }, 30_000);

  test('a token of another namespace is refused', async () => {
    expect(await login('mcp', await token('e2e-elsewhere', 'default', 'vault'))).toBeUndefined();
  }, 30_000);

  test('only the sidecar mounts the identity, and its volume holds one token per audience', async () => {
    const pods = await list<{ metadata: { name: string }; spec: { containers: Mounting[]; initContainers: Mounting[] } }>(
      'pods',
      '-A',
      '-l',
      'rekey.dev/injected=true',
    );
    expect(pods.length).toBeGreaterThan(0);
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

test('a pod of the fleet cannot write the status of credentials', async () => {
  const answer = await kubectl(
    'auth',
    'can-i',
    'patch',
    'mcpcredentials/status',
    '-n',
    'tools',
    '--as=system:serviceaccount:tools:default',
    '--as-group=system:serviceaccounts:tools',
    '--as-group=system:authenticated',
  ).catch((error: Error) => error.message);
  expect(answer).toContain('no');
}, 30_000);

test('the default store is made by the operator from the values of the chart', async () => {
  const store = await until('the default store', 30, () => get<{ spec: { vault: { address: string } } }>('mcpcredentialstore', 'default'));
  expect(store.spec.vault.address).toBe('https://vault.vault.svc:8200');
}, 60_000);

afterAll(async () => {
  await stack.vault.remove(path);
  await kubectl('delete', 'namespace', 'e2e-elsewhere', '--wait=false');
});
