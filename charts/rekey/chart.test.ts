import { readFileSync } from 'node:fs';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { parse } from 'yaml';
import { operatorContainer, parseConfig } from '../../operator/src/config.ts';
import { address, template } from './template.fixture.ts';
import type { Manifest } from './template.fixture.ts';

const chart = new URL('.', import.meta.url).pathname;
const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

function one(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Manifest;
}

const rulesOf = (manifests: readonly Manifest[]) =>
  manifests.flatMap(({ kind, metadata, rules = [] }) => rules.map((rule) => ({ kind, name: metadata.name, ...rule })));

const rightsOf = (manifests: readonly Manifest[]): string[] =>
  rulesOf(manifests)
    .map(({ kind, name, apiGroups, resources, resourceNames, verbs }) => {
      const named = resourceNames === undefined ? '' : ` [${resourceNames.join()}]`;
      return `${kind} ${name}: ${verbs.join()} ${apiGroups.map((group) => group || 'core').join()}/${resources.join()}${named}`;
    })
    .sort();

function environment(manifests: readonly Manifest[]): Record<string, string> {
  const container = one(manifests, 'Deployment', 'rekey-operator').spec?.template?.spec.containers[0];
  // The two variables without a value come from the pod's own fields.
  return Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value ?? 'rekey-system']));
}

describe('rights', () => {
  // Adding a line here widens what Rekey may do in every cluster that runs it.
  test('are these, and no others', () => {
    expect(rightsOf(template())).toEqual([
      'ClusterRole rekey-operator: bind rbac.authorization.k8s.io/clusterroles [rekey-sidecar]',
      'ClusterRole rekey-operator: create,patch core/events',
      'ClusterRole rekey-operator: create,patch rekey.dev/mcpcredentialstores [default]',
      'ClusterRole rekey-operator: get,list,watch,patch admissionregistration.k8s.io/mutatingwebhookconfigurations [rekey-operator]',
      'ClusterRole rekey-operator: list,watch core/namespaces',
      'ClusterRole rekey-operator: list,watch core/pods',
      'ClusterRole rekey-operator: list,watch rekey.dev/mcpcredentials',
      'ClusterRole rekey-operator: list,watch rekey.dev/mcpcredentialstores',
      'ClusterRole rekey-operator: list,watch,create,patch rbac.authorization.k8s.io/rolebindings [rekey-sidecar]',
      'ClusterRole rekey-operator: list,watch,create,patch rekey.dev/mcpcredentialbindings',
      'ClusterRole rekey-operator: patch core/pods',
      'ClusterRole rekey-operator: patch rekey.dev/mcpcredentials/status',
      'ClusterRole rekey-operator: patch rekey.dev/mcpcredentialstores/status',
      'ClusterRole rekey-sidecar: list,watch rekey.dev/mcpcredentials',
      'ClusterRole rekey-sidecar: patch rekey.dev/mcpcredentialbindings/status',
      'ClusterRole rekey-store-reader: list,watch rekey.dev/mcpcredentialstores',
      'Role rekey-operator: create coordination.k8s.io/leases',
      'Role rekey-operator: create core/serviceaccounts/token [rekey-operator]',
      'Role rekey-operator: get core/pods',
      'Role rekey-operator: get,patch coordination.k8s.io/leases [rekey-operator]',
    ]);
  });

  test('of an operator for some namespaces are in these, but for what has no namespace', () => {
    const manifests = template([address, 'namespaces={tools,agents}']);
    const rights = rightsOf(manifests).filter((line) => line.includes(' rekey-operator'));
    const inNamespaces = rights.filter((line) => line.startsWith('Role rekey-operator-namespace'));
    expect(rights.filter((line) => line.startsWith('ClusterRole'))).toEqual([
      'ClusterRole rekey-operator: bind rbac.authorization.k8s.io/clusterroles [rekey-sidecar]',
      'ClusterRole rekey-operator: create,patch rekey.dev/mcpcredentialstores [default]',
      'ClusterRole rekey-operator: get,list,watch,patch admissionregistration.k8s.io/mutatingwebhookconfigurations [rekey-operator]',
      'ClusterRole rekey-operator: list,watch core/namespaces [tools,agents]',
      'ClusterRole rekey-operator: list,watch rekey.dev/mcpcredentialstores',
      'ClusterRole rekey-operator: patch rekey.dev/mcpcredentialstores/status',
    ]);
    const clusterWide = rightsOf(template()).filter((line) => line.startsWith('ClusterRole rekey-operator'));
    const moved = clusterWide.filter((line) => !rights.includes(line) && !line.endsWith('core/namespaces'));
    expect([...new Set(inNamespaces)]).toEqual(
      moved.map((line) => line.replace('ClusterRole rekey-operator', 'Role rekey-operator-namespace')),
    );
    const places = manifests.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === 'rekey-operator-namespace');
    expect(places.map(({ metadata }) => metadata.namespace)).toEqual(['tools', 'agents']);
  });

  test.each([[[]], [['namespaces={tools}']]])('none is on secrets, and none is a wildcard (%s)', (values) => {
    const rules = rulesOf(template([address, ...values]));
    expect(
      rules.filter(
        ({ apiGroups, resources }) => apiGroups.includes('') && resources.some((resource) => resource.split('/')[0] === 'secrets'),
      ),
    ).toEqual([]);
    expect(
      rules.filter(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs].some((word) => word.includes('*'))),
    ).toEqual([]);
  });
});

describe('the operator', () => {
  test('meets the restricted Pod Security Standard, with a read-only root', () => {
    const pods = template().flatMap(({ spec }) => (spec?.template === undefined ? [] : [spec.template.spec]));
    expect(pods).toHaveLength(1);
    for (const pod of pods)
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } });
    for (const { securityContext } of pods.flatMap(({ containers, initContainers = [] }) => [...containers, ...initContainers])) {
      expect(securityContext).toEqual({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } });
    }
  });

  test('understands the environment that the chart gives it', () => {
    const values = [
      'image.sidecar.repository=registry.example.com/rekey/sidecar',
      'image.sidecar.tag=1.2.3',
      'sidecar.resources.limits.cpu=1',
      `trust.extraCA=${certificate}`,
      'audit.otlp=http://otel-collector.observability.svc:4318',
    ];
    expect(parseConfig(environment(template([address, ...values])))).toMatchObject({
      namespace: 'rekey-system',
      webhookPort: 8443,
      sidecar: {
        image: 'registry.example.com/rekey/sidecar:1.2.3',
        resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: '1', memory: '64Mi' } },
        extraCA: certificate.trim(),
        auditOTLP: 'http://otel-collector.observability.svc:4318',
      },
    });
  });

  test('is given quantities that are numbers as whole ones', () => {
    const bytes = { sidecar: { resources: { requests: { memory: 67_108_864 }, limits: { memory: 134_217_728, cpu: 1 } } } };
    expect(parseConfig(environment(template([address], 'rekey-system', bytes))).sidecar.resources).toEqual({
      requests: { cpu: '10m', memory: '67108864' },
      limits: { cpu: '1', memory: '134217728' },
    });
  });

  test('makes the default store of the values', () => {
    const store: unknown = JSON.parse(environment(template([address, `vault.caBundle=${certificate}`]))['REKEY_DEFAULT_STORE'] ?? '');
    expect(storeSpec.parse(store)).toEqual(store);
    expect(store).toEqual({
      vault: {
        address: 'https://vault.vault.svc:8200',
        caBundle: certificate,
        mount: 'kv',
        auth: { kubernetes: { mount: 'kubernetes', role: 'mcp', operatorRole: 'rekey-operator', audience: 'vault' } },
      },
      pollIntervalSeconds: 5,
    });
  });

  test('makes no store when the values name no vault', () => {
    expect(environment(template([]))).not.toHaveProperty('REKEY_DEFAULT_STORE');
  });
});

describe('availability', () => {
  const selector = { matchLabels: { 'app.kubernetes.io/name': 'rekey', 'app.kubernetes.io/component': 'operator' } };

  test('there are two replicas, on two nodes where there are two, and a drain takes one at a time', () => {
    const manifests = template();
    const { spec } = one(manifests, 'Deployment', 'rekey-operator');
    expect(spec).toMatchObject({ replicas: 2, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }, selector });
    expect(spec?.template?.spec.topologySpreadConstraints).toEqual([
      {
        topologyKey: 'kubernetes.io/hostname',
        maxSkew: 1,
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: selector,
        matchLabelKeys: ['pod-template-hash'],
      },
    ]);
    const budget = { maxUnavailable: 1, selector, unhealthyPodEvictionPolicy: 'AlwaysAllow' };
    expect(one(manifests, 'PodDisruptionBudget', 'rekey-operator').spec).toEqual(budget);
  });

  test('a single replica holds up no drain', () => {
    expect(template(['replicas=1']).filter(({ kind }) => kind === 'PodDisruptionBudget')).toEqual([]);
  });

  test('spread, priority and what the webhook does without an operator are values', () => {
    const spread = ['topologyKey=topology.kubernetes.io/zone', 'maxSkew=2', 'whenUnsatisfiable=DoNotSchedule'];
    const values = [...spread.map((value) => `topologySpreadConstraints[0].${value}`), 'priorityClassName=system-cluster-critical'];
    const manifests = template([...values, 'webhook.failurePolicy=Fail']);
    const pod = one(manifests, 'Deployment', 'rekey-operator').spec?.template?.spec;
    expect(pod?.priorityClassName).toBe('system-cluster-critical');
    expect(pod?.topologySpreadConstraints).toMatchObject([
      { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule', labelSelector: selector },
    ]);
    const { webhooks = [] } = one(manifests, 'MutatingWebhookConfiguration', 'rekey-operator');
    expect(webhooks.map(({ failurePolicy }) => failurePolicy)).toEqual(['Fail', 'Fail']);
    expect(template(['topologySpreadConstraints=null']).filter(({ kind }) => kind === 'Deployment')).toMatchObject([
      { spec: { template: { spec: expect.not.objectContaining({ topologySpreadConstraints: expect.anything() }) } } },
    ]);
  });

  test.each([
    ['over nothing', { maxSkew: 1 }],
    ['of pods of others', { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'other' } } }],
  ])('a spread %s is refused', (_what, constraint) => {
    expect(() => template([], 'rekey-system', { topologySpreadConstraints: [constraint] })).toThrow("at '/topologySpreadConstraints/0'");
  });

  test('a replica that looks whether the leader lives looks at its container', () => {
    const containers = one(template(), 'Deployment', 'rekey-operator').spec?.template?.spec.containers;
    expect(containers?.map(({ name }) => name)).toEqual([operatorContainer]);
  });
});

describe('admission', () => {
  test.each([[[]], [['namespaces={tools,agents}']]])('the webhook and the policy that fails closed select the same pods (%s)', (values) => {
    const manifests = template([address, ...values]);
    const webhooks = one(manifests, 'MutatingWebhookConfiguration', 'rekey-operator').webhooks ?? [];
    expect(webhooks).toHaveLength(2);
    for (const webhook of webhooks) {
      const { namespaceSelector, objectSelector } = webhook;
      const binding = one(manifests, 'ValidatingAdmissionPolicyBinding', `rekey-injected-${webhook.name.split('.')[0]}`);
      expect(binding.spec).toEqual({
        policyName: 'rekey-injected',
        validationActions: ['Deny'],
        matchResources: { namespaceSelector, objectSelector },
      });
    }
    expect(one(manifests, 'ValidatingAdmissionPolicy', 'rekey-injected').spec?.failurePolicy).toBe('Fail');
  });

  test('never sees the pods of kube-system and of the operator, so that it can start without itself', () => {
    const webhooks = one(template([], 'elsewhere'), 'MutatingWebhookConfiguration', 'rekey-operator').webhooks ?? [];
    const excluded = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'elsewhere'] };
    for (const { namespaceSelector } of webhooks) expect(namespaceSelector).toMatchObject({ matchExpressions: [excluded] });
    const named =
      one(template([address, 'namespaces={tools,agents}'], 'elsewhere'), 'MutatingWebhookConfiguration', 'rekey-operator').webhooks ?? [];
    const only = { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['tools', 'agents'] };
    for (const { namespaceSelector } of named) expect(namespaceSelector).toMatchObject({ matchExpressions: [excluded, only] });
  });

  test('the webhook fails open, and its caBundle is left to the operator', () => {
    for (const webhook of one(template(), 'MutatingWebhookConfiguration', 'rekey-operator').webhooks ?? []) {
      expect(webhook).toMatchObject({ failurePolicy: 'Ignore', timeoutSeconds: 5, sideEffects: 'None', reinvocationPolicy: 'IfNeeded' });
      expect(webhook.clientConfig).toEqual({ service: { name: 'rekey-operator', namespace: 'rekey-system', path: '/mutate', port: 443 } });
    }
  });
});

describe('values', () => {
  const refused: Record<string, string> = {
    'a vault over clear text': 'vault.address=http://vault:8200',
    'a vault with a path': 'vault.address=https://vault:8200/v1',
    'a key where certificates belong': 'trust.extraCA=-----BEGIN PRIVATE KEY-----',
    'a path where certificates belong': 'vault.caBundle=/etc/ssl/ca.pem',
    'an image with its tag in the repository': 'image.sidecar.repository=rekey/sidecar:1',
    'an image with a scheme': 'image.operator.repository=https://registry/rekey',
    'no replica': 'replicas=0',
    'more replicas than a caBundle keeps CAs of': 'replicas=4',
    'a disruption budget that holds up every drain': 'podDisruptionBudget.maxUnavailable=0',
    'a failure policy that is none': 'webhook.failurePolicy=Maybe',
    'a timeout that the API server would not wait for': 'webhook.timeoutSeconds=31',
    'a namespace that is none': 'namespaces={Tools}',
    'a poll without a pause': 'pollIntervalSeconds=0',
    'a collector without a scheme': 'audit.otlp=otel-collector:4318',
    'a collector with a password': 'audit.otlp=https://user:word@collector',
    'a log level that is none': 'sidecar.logLevel=trace',
    'a quantity that is none': 'sidecar.resources.limits.memory=much',
    'a sidecar without a limit of memory': 'sidecar.resources.limits.memory=null',
    'a sidecar without limits': 'sidecar.resources.limits=null',
    'a sidecar without requests': 'sidecar.resources.requests=null',
    'a resource that sidecars are not given': 'sidecar.resources.limits.ephemeral-storage=1Gi',
    'a name that the chart does not know': 'vault.adress=https://vault:8200',
  };
  test.each(Object.entries(refused))('%s is refused', (_name, value) => {
    const at = value.slice(0, value.indexOf('=')).split('.').slice(0, -1).join('/');
    expect(() => template([value])).toThrow(new RegExp(`at '.*${at}`, 'u'));
  });
});

test('the credential of the notes is one', () => {
  const notes = readFileSync(`${chart}templates/NOTES.txt`, 'utf8');
  const text = /<<'YAML'\n([\s\S]+?)\n +YAML\n/u.exec(notes)?.[1] ?? '';
  const credential = parse(text) as { kind: string; spec: unknown };
  expect(credential.kind).toBe('MCPCredential');
  expect(credentialSpec.parse(credential.spec)).toMatchObject({ hosts: ['api.github.com'] });
});
