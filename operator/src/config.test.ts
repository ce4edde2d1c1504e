import { parseConfig } from './config.ts';

const required = { REKEY_NAMESPACE: 'rekey-system', REKEY_SIDECAR_IMAGE: 'ghcr.io/example/sidecar:1' };

test('two variables are enough', () => {
  expect(parseConfig(required)).toEqual({
    namespace: 'rekey-system',
    namespaces: [],
    pod: 'rekey-operator',
    serviceAccount: 'rekey-operator',
    sidecarClusterRole: 'rekey-sidecar',
    defaultStore: undefined,
    sidecar: {
      image: 'ghcr.io/example/sidecar:1',
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
      extraCA: '',
      sysctls: true,
      logLevel: 'info',
      auditOTLP: '',
    },
    service: 'rekey-operator',
    clusterDomain: 'cluster.local',
    webhookConfiguration: 'rekey-operator',
    webhookPort: 8443,
    healthPort: 8080,
    logLevel: 'info',
  });
});

test('an empty variable is an unset one', () => {
  expect(parseConfig({ ...required, REKEY_LOG_LEVEL: '', REKEY_SIDECAR_CPU_LIMIT: '' })).toEqual(parseConfig(required));
});

test('the default store is checked like any other', () => {
  const vault = { address: 'https://vault.vault.svc:8200', auth: { kubernetes: { role: 'mcp' } } };
  const parsed = (spec: unknown): unknown => parseConfig({ ...required, REKEY_DEFAULT_STORE: JSON.stringify(spec) }).defaultStore;
  expect(parsed({ vault })).toMatchObject({ vault: { mount: 'kv' }, pollIntervalSeconds: 5 });
  expect(() => parsed({ vault: { ...vault, address: 'http://vault' } })).toThrow('REKEY_DEFAULT_STORE: vault: address: the address starts');
  expect(() => parseConfig({ ...required, REKEY_DEFAULT_STORE: '{' })).toThrow('REKEY_DEFAULT_STORE: ');
});

test('namespaces come with commas between them', () => {
  const parsed = (names: string): readonly string[] => parseConfig({ ...required, REKEY_NAMESPACES: names }).namespaces;
  expect(parsed('tools,agents,tools')).toEqual(['tools', 'agents']);
  expect(parsed('')).toEqual([]);
  expect(() => parsed('tools, agents')).toThrow('REKEY_NAMESPACES has " agents", which does not match');
});

test('everything that is wrong is told at once', () => {
  const environment = {
    REKEY_LOG_LEVEL: 'loud',
    REKEY_WEBHOOK_PORT: '99999',
    REKEY_SIDECAR_MEMORY_LIMIT: '64 MB',
    REKEY_EXTRA_CA: '/a/file',
    REKEY_SIDECAR_AUDIT_OTLP: 'collector:4318',
  };
  expect(() => parseConfig(environment)).toThrow(
    [
      'REKEY_NAMESPACE is not set',
      'REKEY_SIDECAR_IMAGE is not set',
      'REKEY_SIDECAR_MEMORY_LIMIT is "64 MB", which does not match ^[0-9]+([.][0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$',
      'REKEY_EXTRA_CA is "/a/file", which does not match ^\\s*$|-----BEGIN CERTIFICATE-----',
      'REKEY_SIDECAR_AUDIT_OTLP is "collector:4318", which does not match ^$|^https?:\\/\\/[A-Za-z0-9.:[\\]_-]+(\\/[A-Za-z0-9._~/-]*)?$',
      'REKEY_WEBHOOK_PORT is "99999": a port is a number from 0 to 65535',
      'REKEY_LOG_LEVEL is "loud": choose one of debug, info, warn, error',
    ].join('\n'),
  );
});

test.each([
  [{ REKEY_SIDECAR_MEMORY_REQUEST: '65Mi' }, 'REKEY_SIDECAR_MEMORY_REQUEST is "65Mi", more than the limit "64Mi"'],
  [{ REKEY_SIDECAR_MEMORY_REQUEST: '1.5Gi', REKEY_SIDECAR_MEMORY_LIMIT: '1600M' }, 'REKEY_SIDECAR_MEMORY_REQUEST is "1.5Gi"'],
  [{ REKEY_SIDECAR_CPU_REQUEST: '1', REKEY_SIDECAR_CPU_LIMIT: '999m' }, 'REKEY_SIDECAR_CPU_REQUEST is "1", more than the limit "999m"'],
])('a request above its limit, with which no pod could start, is refused: %j', (environment, problem) => {
  expect(() => parseConfig({ ...required, ...environment })).toThrow(problem);
});

test('a request that is its limit is taken', () => {
  const environment = {
    ...required,
    REKEY_SIDECAR_CPU_REQUEST: '0.2',
    REKEY_SIDECAR_CPU_LIMIT: '200m',
    REKEY_SIDECAR_MEMORY_REQUEST: '64Mi',
  };
  expect(parseConfig(environment).sidecar.resources).toEqual({
    requests: { cpu: '0.2', memory: '64Mi' },
    limits: { cpu: '200m', memory: '64Mi' },
  });
});

test('nobody changes it afterwards', () => {
  const { sidecar } = parseConfig(required);
  expect(Object.isFrozen(sidecar.resources.limits)).toBe(true);
});
