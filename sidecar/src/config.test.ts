import { ConfigInvalid, readConfig } from './config.ts';

const env = {
  REKEY_NAMESPACE: 'tools',
  REKEY_POD: 'mcp-0',
  REKEY_POD_UID: 'uid-1',
  REKEY_SERVICE_ACCOUNT: 'default',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT: '443',
};
const spec = {
  source: { vault: { path: 'mcp/github', key: 'token' } },
  storeRef: { name: 'default' },
  version: '',
  hosts: ['api.github.com'],
  inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
  refused: [{ status: 401 }],
  env: [{ name: 'TOKEN' }],
  podSelector: { matchLabels: { app: 'mcp' } },
  cacheTTLSeconds: 60,
  maxStaleSeconds: 300,
  suspend: false,
};
const store = { vault: { address: 'https://vault:8200', mount: 'kv', auth: { kubernetes: { role: 'mcp' } } }, pollIntervalSeconds: 10 };
const snapshot = { credentials: [{ name: 'github', version: '7', spec }], stores: [{ name: 'default', spec: store }] };
const files = (value: unknown) => (path: string) => {
  if (path !== '/run/rekey/identity/pod/snapshot') throw new Error(path);
  return typeof value === 'string' ? value : JSON.stringify(value);
};
const problemsOf = (over: Record<string, string | undefined>, value: unknown = snapshot): readonly string[] => {
  try {
    readConfig({ ...env, ...over }, files(value));
    return [];
  } catch (error) {
    if (error instanceof ConfigInvalid) return error.problems;
    throw error;
  }
};

test('all that the webhook gives is one frozen value', () => {
  const config = readConfig(env, files(snapshot));
  expect(config).toEqual({
    namespace: 'tools',
    pod: 'mcp-0',
    podUID: 'uid-1',
    serviceAccount: 'default',
    extraCA: undefined,
    logLevel: 'info',
    auditOTLP: undefined,
    kubernetes: { host: '10.96.0.1', port: 443 },
    identity: '/run/rekey/identity',
    secrets: '/run/rekey/secrets',
    snapshot,
  });
  expect(Object.isFrozen(config.snapshot.credentials[0]?.spec.source)).toBe(true);
});

test('nothing is wrong with a good one', () => {
  expect(problemsOf({ REKEY_LOG_LEVEL: 'debug', REKEY_EXTRA_CA: '-----BEGIN CERTIFICATE-----\n' })).toEqual([]);
  expect(problemsOf({}, { credentials: [], stores: [] })).toEqual([]);
  expect(problemsOf({ REKEY_AUDIT_OTLP: 'http://10.0.0.7:4318' })).toEqual([]);
  expect(problemsOf({ REKEY_AUDIT_OTLP: 'https://otel.example.com/otlp' })).toEqual([]);
});

test('all that is wrong is told at once, in sentences', () => {
  const nothing = Object.fromEntries(Object.keys(env).map((name) => [name, undefined]));
  const problems = problemsOf({ ...nothing, REKEY_LOG_LEVEL: 'loud', REKEY_EXTRA_CA: '/etc/ca.pem' }, 'x');
  expect(problems).toHaveLength(9);
  expect(() => readConfig(nothing, files(snapshot))).toThrow('- REKEY_POD_UID is not set');
});

const without = (field: string): unknown => ({
  ...snapshot,
  credentials: [{ name: 'github', spec: { ...spec, [field]: undefined } }],
});
const withStore = (vault: object): unknown => ({ ...snapshot, stores: [{ name: 'default', spec: { vault } }] });
const bad: Record<string, [Record<string, string | undefined>, unknown, string]> = {
  'a port that is none': [{ KUBERNETES_SERVICE_PORT: '70000' }, snapshot, 'KUBERNETES_SERVICE_PORT is not a port'],
  'a port with a scheme': [{ KUBERNETES_SERVICE_PORT: 'tcp://10.0.0.1:443' }, snapshot, 'KUBERNETES_SERVICE_PORT is not a port'],
  'a level that is none': [{ REKEY_LOG_LEVEL: 'loud' }, snapshot, 'REKEY_LOG_LEVEL is one of debug, info, warn, error'],
  'a path in place of PEM': [{ REKEY_EXTRA_CA: '/etc/ca.pem' }, snapshot, 'REKEY_EXTRA_CA holds no certificate'],
  'a collector that is no URL': [{ REKEY_AUDIT_OTLP: 'collector:4318' }, snapshot, 'REKEY_AUDIT_OTLP is not the URL of a collector'],
  'a collector with a password': [{ REKEY_AUDIT_OTLP: 'http://u:p@c' }, snapshot, 'REKEY_AUDIT_OTLP is not the URL of a collector'],
  'a snapshot that is not JSON': [{}, '{', 'the snapshot is not JSON'],
  'a snapshot that is a list': [{}, [], 'the snapshot is not JSON with credentials'],
  'a snapshot without stores': [{}, { credentials: [] }, 'the snapshot is not JSON with credentials and stores'],
  'a credential without a name': [{}, { ...snapshot, credentials: [{ spec }] }, 'a credential without a name'],
  'a credential without a spec': [
    {},
    { ...snapshot, credentials: [{ name: 'github' }] },
    'credential github of the snapshot: there is no spec',
  ],
  ...Object.fromEntries(
    ['source', 'storeRef', 'version', 'hosts', 'inject', 'refused', 'env', 'cacheTTLSeconds', 'maxStaleSeconds', 'suspend'].map((field) => [
      `a credential without ${field}`,
      [{}, without(field), `credential github of the snapshot: ${field}`],
    ]),
  ),
  'a store without a name': [{}, { ...snapshot, stores: [{ spec: store }] }, 'a store without a name'],
  'a store without a spec': [{}, { ...snapshot, stores: [{ name: 'default' }] }, 'store default of the snapshot: there is no spec'],
  'a store in clear': [{}, withStore({ ...store.vault, address: 'http://vault:8200' }), 'store default of the snapshot: vault.address'],
  'a store without a mount': [{}, withStore({ ...store.vault, mount: undefined }), 'vault.mount'],
  'a store without a login': [{}, withStore({ ...store.vault, auth: undefined }), 'vault.auth'],
};

test.each(Object.entries(bad))('%s', (_name, [over, value, problem]) => {
  const problems = problemsOf(over, value);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

test('a kind of store that this version does not know is no reason not to start', () => {
  expect(problemsOf({}, { ...snapshot, stores: [{ name: 'other', spec: { gcpSecretManager: {} } }] })).toEqual([]);
});

test('a snapshot that cannot be read is told with its path', () => {
  const missing = (): string => {
    throw new Error('ENOENT');
  };
  expect(() => readConfig(env, missing)).toThrow('/run/rekey/identity/pod/snapshot cannot be read');
});
