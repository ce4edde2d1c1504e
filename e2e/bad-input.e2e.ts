import { badInputs, goodInputs } from '@rekey/crds/rules.table.ts';
import { condition, credential } from './lib/credential.ts';
import { apply, get, kubectl, list, refusal } from './lib/kube.ts';
import { until } from './lib/run.ts';
import { canary, newSecret } from './lib/secret.ts';
import { caller, githubCredential, probePod, sandbox } from './lib/sandbox.ts';
import { connect } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';

const space = 'e2e-bad';
let stack: Stack;

beforeAll(async () => {
  stack = await connect();
  await sandbox(space);
}, 180_000);

describe('kubectl apply refuses', () => {
  test.each(badInputs)(
    '$name, with its own message',
    async ({ spec, message }) => {
      expect(await refusal(githubCredential(space, 'bad', spec))).toContain(message);
    },
    30_000,
  );

  test('nothing that is good', async () => {
    for (const spec of Object.values(goodInputs)) expect(await refusal(githubCredential(space, 'good', spec))).toBe('');
  }, 30_000);

  test('a source of a kind that it does not know', async () => {
    const source = { vault: { path: 'mcp/x', key: 'token' }, file: { path: '/token' } };
    expect(await refusal(githubCredential(space, 'bad', { source }))).toContain('unknown field "spec.source.file"');
  }, 30_000);

  test('nothing of a good one', async () => {
    expect(await refusal(githubCredential(space, 'good'))).toBe('');
  }, 30_000);
});

/** Waits for the reason in the condition Ready, and for an event of the same reason. */
async function says(name: string, reason: string): Promise<string> {
  const message = await until(`${name}: Ready=False ${reason}`, 60, async () => {
    const ready = condition(await credential(name, space), 'Ready');
    return ready?.status === 'False' && ready.reason === reason ? ready.message : undefined;
  });
  await until(`an event ${reason} of ${name}`, 30, async () => {
    const events = await list<{ reason: string; type: string }>('events', '-n', space, '--field-selector', `involvedObject.name=${name}`);
    return events.some((event) => event.reason === reason && event.type === 'Warning') ? true : undefined;
  });
  return message;
}

describe('a condition and an event say what only the vault or the cluster can know', () => {
  test('an unknown store', async () => {
    await apply([githubCredential(space, 'no-store', { storeRef: { name: 'elsewhere' } })]);
    expect(await says('no-store', 'StoreNotFound')).toContain('elsewhere');
  }, 120_000);

  test('a path that does not exist', async () => {
    await apply([githubCredential(space, 'no-path')]);
    expect(await says('no-path', 'SecretNotFound')).toContain(`mcp/${space}-no-path`);
  }, 120_000);

  test('a role that the vault denies', async () => {
    const store = await storeWith({ operatorRole: 'no-such-role' });
    await apply([store, githubCredential(space, 'no-role', { storeRef: { name: 'denied' } })]);
    expect(await says('no-role', 'SourceDenied')).toContain('no-such-role');
  }, 120_000);

  test('two credentials for the same host of the same pod: the older goes on, the younger says so', async () => {
    await stack.vault.write(`mcp/${space}-first`, { token: 'first-token-of-two' });
    await apply([githubCredential(space, 'first')]);
    await new Promise((resolve) => setTimeout(resolve, 1100)); // creation times have whole seconds
    await apply([githubCredential(space, 'younger', { podSelector: { matchLabels: { app: 'first' } } })]);
    expect(await says('younger', 'HostConflict')).toContain('first');
    // Not of Ready: it is absent here, which would be no HostConflict whatever went wrong.
    expect(condition(await credential('first', space), 'Available')?.reason).toBe('NoPods');
  }, 120_000);

  const values: [string, string, string, Record<string, unknown>][] = [
    ['no-key', 'api.github.com', 'KeyNotFound', { other: 'a-value-under-another-key' }],
    ['empty', 'api.notion.com', 'SecretValueEmpty', { token: '' }],
    ['line-break', 'slack.com', 'SecretValueInvalid', { token: 'two\nlines' }],
    ['number', 'gitlab.com', 'SecretValueNotString', { token: 42 }],
  ];

  test('a missing key, an empty value, one with a line break, one that is no string', async () => {
    for (const [name, , , data] of values) await stack.vault.write(`mcp/${space}-${name}`, data);
    await apply(
      values.map(([name, host]) =>
        githubCredential(space, name, { hosts: [host], podSelector: { matchLabels: { app: 'values' } }, env: [] }),
      ),
    );
    const pod = await probePod(space, 'values');
    await until(
      'a pod with all four',
      60,
      async () =>
        await apply([pod]).then(
          () => true,
          () => undefined,
        ),
    );
    const messages = await Promise.all(values.map(([name, , reason]) => says(name, reason)));
    expect(new Set(messages).size).toBe(values.length);
    expect(messages.join()).not.toMatch(/two|lines|42/u);
  }, 180_000);
});

async function storeWith(auth: Record<string, string>): Promise<object> {
  const { spec } = await get<{ spec: { vault: { auth: { kubernetes: object } } } }>('mcpcredentialstore', 'default');
  const { vault } = spec;
  return {
    apiVersion: 'rekey.dev/v1alpha1',
    kind: 'MCPCredentialStore',
    metadata: { name: 'denied' },
    spec: { pollIntervalSeconds: 2, vault: { ...vault, auth: { kubernetes: { ...vault.auth.kubernetes, ...auth } } } },
  };
}

describe('a pod that cannot be injected is refused, with what to change', () => {
  beforeAll(async () => {
    await apply([githubCredential(space, 'target')]);
    await until('the webhook knows the credential', 30, async () =>
      (await refusal(await probePod(space, 'target'))) === '' ? true : undefined,
    );
  }, 60_000);

  const mount = { name: 'own', mountPath: '/etc/hosts', subPath: 'hosts' };
  const cases: [string, string, object][] = [
    ['on the host network', 'HostNetwork', { spec: { hostNetwork: true } }],
    ['with a container on port 443', 'PortTaken', { container: { ports: [{ containerPort: 443 }] } }],
    ['that carries our names', 'NameTaken', { spec: { volumes: [{ name: 'rekey-ca', emptyDir: {} }] } }],
    [
      'that mounts its own hosts file',
      'HostsFileMounted',
      { container: { volumeMounts: [mount] }, spec: { volumes: [{ name: 'own', emptyDir: {} }] } },
    ],
    ['that no credential selects', 'NoCredential', { labels: { app: 'nobody' } }],
  ];

  test.each(cases)(
    'a pod %s: %s',
    async (_name, reason, changes) => {
      expect(await refusal(await probePod(space, 'target', changes))).toContain(reason);
    },
    30_000,
  );
});

afterAll(async () => {
  await kubectl('delete', 'mcpcredentialstore', 'denied', '--ignore-not-found');
  await kubectl('delete', 'namespace', space, '--wait=false');
});

test('Vault away when a pod starts: the server starts, its calls get 503 SourceUnreachable with Retry-After, and work when Vault is back', async () => {
  const token = newSecret();
  await stack.internet.issue('github', `${canary}/late`, token);
  await stack.vault.write(`mcp/${space}-late`, { token });
  await apply([githubCredential(space, 'late')]);
  await until('the webhook knows the credential', 30, async () =>
    (await refusal(await probePod(space, 'late'))) === '' ? true : undefined,
  );
  await stack.vault.away(async () => {
    await apply([await probePod(space, 'late')]);
    const call = await caller(space, 'late');
    expect(await call()).toMatchObject({ status: 503, reason: 'SourceUnreachable', retryAfter: expect.stringMatching(/^\d+$/u) as string });
  });
  const call = await caller(space, 'late');
  await until('calls work', 30, async () => ((await call()).status === 200 ? true : undefined));
}, 240_000);
