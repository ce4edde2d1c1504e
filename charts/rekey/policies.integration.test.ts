import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import { startApiServer } from '../../operator/src/controller/api-server.real.ts';
import type { Ask, RealApiServer, Said } from '../../operator/src/controller/api-server.real.ts';
import { until } from '@rekey/lib/process.real.ts';
import { template } from './template.fixture.ts';

// The chart's admission policies on a real API server without the webhook: exactly what they are for.

let api: RealApiServer;
const said = async (asked: Ask): Promise<string> => {
  const { status, message } = await api.ask(asked);
  return status < 300 ? '' : `${status} ${message}`;
};

beforeAll(async () => {
  api = await startApiServer();
  const namespaces = { open: {}, whole: { 'rekey.dev/injection': 'enabled' }, 'rekey-system': {} };
  for (const [name, labels] of Object.entries(namespaces)) {
    await api.admin.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }
  const kinds = {
    ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
    ValidatingAdmissionPolicyBinding: 'validatingadmissionpolicybindings',
  };
  const policies = template().filter(({ kind }) => kind in kinds);
  if (policies.length !== 9) throw new Error(`the chart renders ${policies.length} policies and bindings, not the 9 that are tested here`);
  for (const policy of policies) {
    const plural = kinds[policy.kind as keyof typeof kinds];
    await api.admin.apply(`/apis/admissionregistration.k8s.io/v1/${plural}/${policy.metadata.name}`, policy);
  }
  // A policy holds a moment after it was made: the last one of each kind of request is waited for.
  await until(async () => ((await create('open', pod({ inject: 'true' }))) === '' ? undefined : true));
  await api.admin.create('/api/v1/namespaces/open/pods', pod({ injected: 'true' }, [sidecar()], {}, 'p'));
  await until(async () => ((await debug({ targetContainerName: 'rekey' })) === '' ? undefined : true));
}, 120_000);

afterAll(() => api.stop());

const container = { name: 'server', image: 'server' };
const sidecar = (restartPolicy: string | undefined = 'Always'): object => ({
  name: 'rekey',
  image: 'rekey',
  ...(restartPolicy === 'none' ? {} : { restartPolicy }),
});

function pod(labels: Record<string, string>, initContainers: object[] = [], spec: object = {}, name = 'new'): object {
  const prefixed = Object.fromEntries(Object.entries(labels).map(([name, value]) => [`rekey.dev/${name}`, value]));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: prefixed },
    spec: { containers: [container], initContainers, ...spec },
  };
}

const create = (namespace: string, object: object): Promise<string> =>
  said({ method: 'POST', path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`, body: object });

describe('an opted-in pod never starts without its sidecar', () => {
  const refused: [string, string, object, RegExp][] = [
    ['the webhook did not run', 'open', pod({ inject: 'true' }), /403 .*Rekey did not see this pod/u],
    ['the webhook did not run, in a namespace that opted in', 'whole', pod({}), /403 .*Rekey did not see this pod/u],
    ['a value of the label that is neither', 'whole', pod({ inject: 'yes' }), /403 .*Rekey did not see this pod/u],
    ['another mark than the webhook writes', 'whole', pod({ injected: 'maybe' }), /403 .*Rekey did not see this pod/u],
    [
      'asked for by the pod, and no credential',
      'open',
      pod({ inject: 'true', injected: 'none' }),
      /403 .*no MCPCredential of its namespace/u,
    ],
    ['marked, without the sidecar', 'whole', pod({ injected: 'true' }), /403 .*no init container named rekey/u],
    ['marked, asked for, without the sidecar', 'open', pod({ inject: 'true', injected: 'true' }), /403 .*no init container named rekey/u],
    ['a sidecar that ends', 'whole', pod({ injected: 'true' }, [sidecar('none')]), /403 .*stripped restartPolicy: Always/u],
  ];
  test.each(refused)('refused: %s', async (_what, namespace, object, message) => {
    expect(await create(namespace, object)).toMatch(message);
  });

  const accepted: [string, string, object][] = [
    ['injected, by the pod', 'open', pod({ inject: 'true', injected: 'true' }, [sidecar()])],
    ['injected, by the namespace', 'whole', pod({ injected: 'true' }, [sidecar()])],
    ['no credential selects it, and it did not ask', 'whole', pod({ injected: 'none' })],
    ['opted out', 'whole', pod({ inject: 'false' })],
    ['neither namespace nor pod opted in', 'open', pod({})],
    ['the operator’s own namespace', 'rekey-system', pod({ inject: 'true' })],
    ['kube-system', 'kube-system', pod({ inject: 'true' })],
  ];
  test.each(accepted)('starts: %s', async (_what, namespace, object) => {
    expect(await create(namespace, object)).toBe('');
  });
});

/** Adds an ephemeral container to the injected pod NAME, as `kubectl debug` does. */
function debug(container: object, name = 'p'): Promise<string> {
  const body = { spec: { ephemeralContainers: [{ name: 'debugger', image: 'shell', ...container }] } };
  const path = `/api/v1/namespaces/open/pods/${name}/ephemeralcontainers?dryRun=All`;
  return said({ method: 'PATCH', path, body, type: 'application/strategic-merge-patch+json' });
}

describe('kubectl debug', () => {
  const volume = (name: string): object => ({ name, emptyDir: {} });
  const mount = (name: string): object => ({ volumeMounts: [{ name, mountPath: '/mnt' }] });

  beforeAll(async () => {
    const volumes = ['rekey-identity', 'rekey-ca', 'rekey-secrets', 'rekey-trust'].map(volume);
    const make = (name: string, labels: Record<string, string>, init: object[], spec: object): Promise<unknown> =>
      api.admin.create('/api/v1/namespaces/open/pods', pod(labels, init, spec, name));
    await make('volumes', { injected: 'true' }, [sidecar()], { volumes });
    await make('same-user', { injected: 'true' }, [sidecar()], { securityContext: { runAsUser: 65_532 } });
    await make('shared', { injected: 'true' }, [sidecar()], { shareProcessNamespace: true });
    await make('shared-user', { injected: 'true' }, [sidecar()], { shareProcessNamespace: true, securityContext: { runAsUser: 1000 } });
    await make('bare', {}, [], { shareProcessNamespace: true, volumes });
  });

  const refused: [string, string, object, RegExp][] = [
    ['the identity', 'volumes', mount('rekey-identity'), /403 .*may not mount rekey-identity/u],
    ['the CA key', 'volumes', mount('rekey-ca'), /403 .*may not mount rekey-identity/u],
    ['the Secrets that the sidecar reads', 'volumes', mount('rekey-secrets'), /403 .*may not mount rekey-identity/u],
    ['the processes of the sidecar', 'p', { targetContainerName: 'rekey' }, /403 .*may not join the processes of the sidecar/u],
    ['the user of the sidecar', 'p', { securityContext: { runAsUser: 65_532 } }, /403 .*may not run as user 65532/u],
    ['the user of the sidecar, by the pod', 'same-user', {}, /403 .*may not run as user 65532/u],
    ['root, where processes are shared', 'shared', {}, /403 .*share their processes/u],
    ['root again', 'shared-user', { securityContext: { runAsUser: 0 } }, /403 .*share their processes/u],
    ['who can become root', 'shared-user', {}, /403 .*share their processes/u],
  ];
  test.each(refused)('refused: %s', async (_what, name, ephemeral, message) => {
    expect(await debug(ephemeral, name)).toMatch(message);
  });

  const accepted: [string, string, object][] = [
    ['a container beside the server', 'p', { targetContainerName: 'server' }],
    ['the trust bundle', 'volumes', mount('rekey-trust')],
    ['another user than the pod’s', 'same-user', { securityContext: { runAsUser: 1000 } }],
    ['a user that stays one, where processes are shared', 'shared-user', { securityContext: { allowPrivilegeEscalation: false } }],
    ['anything in a pod without a sidecar', 'bare', { ...mount('rekey-ca'), securityContext: { runAsUser: 65_532 } }],
  ];
  test.each(accepted)('works: %s', async (_what, name, ephemeral) => {
    expect(await debug(ephemeral, name)).toBe('');
  });
});

describe('the status of a binding', () => {
  const uids: Record<string, string> = {};
  const collection = `${apiPath}/namespaces/open/mcpcredentialbindings`;
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'writer' };
  const path = '/apis/rbac.authorization.k8s.io/v1';

  beforeAll(async () => {
    await api.admin.create('/api/v1/namespaces/open/serviceaccounts', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'server' },
    });
    const rules = [{ apiGroups: ['rekey.dev'], resources: ['mcpcredentialbindings/status'], verbs: ['patch'] }];
    await api.admin.create(`${path}/clusterroles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata: { name: 'writer' },
      rules,
    });
    await api.admin.create(`${path}/clusterrolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'writer' },
      roleRef: role,
      subjects: [{ kind: 'ServiceAccount', name: 'server', namespace: 'open' }],
    });
    for (const name of ['mine', 'other']) {
      const object = pod({}, [], { serviceAccountName: 'server' }, name);
      const { metadata } = await api.admin.create<{ metadata: { uid: string } }>('/api/v1/namespaces/open/pods', object);
      uids[name] = metadata.uid;
      const spec = { podUID: metadata.uid, serviceAccount: 'server', credentials: ['github'] };
      await api.admin.create(collection, { apiVersion, kind: 'MCPCredentialBinding', metadata: { name, namespace: 'open' }, spec });
    }
    await until(async () => ((await write(undefined, 'mine')) === '' ? undefined : true));
  });

  /** A token of the service account, bound to the pod; of the account alone without one. */
  async function tokenOf(name: string | undefined): Promise<string> {
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid: uids[name ?? ''] };
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: name === undefined ? {} : { boundObjectRef } };
    const { body } = await api.ask({ method: 'POST', path: '/api/v1/namespaces/open/serviceaccounts/server/token', body: request });
    return (body as { status: { token: string } }).status.token;
  }

  async function write(by: string | undefined, binding: string, token?: string): Promise<string> {
    const status = { credentials: [{ name: 'github', version: '7', since: '2026-11-22T12:00:00Z' }] };
    const body = { apiVersion, kind: 'MCPCredentialBinding', metadata: { name: binding }, status };
    const asked = { method: 'PATCH', path: `${collection}/${binding}/status?fieldManager=rekey-sidecar&force=true`, body } as const;
    return said({ ...asked, type: 'application/apply-patch+yaml', token: token ?? (await tokenOf(by)) });
  }

  test('is written by the pod that it is for', async () => {
    expect(await write('mine', 'mine')).toBe('');
  });

  test('is written by no other pod of the same service account', async () => {
    expect(await write('mine', 'other')).toMatch(/403 .*the token is not of the pod that this binding is for/u);
  });

  test('is written by no token that is of no pod', async () => {
    expect(await write(undefined, 'mine')).toMatch(/403 .*the token is not of the pod/u);
  });

  test('is not written by the successor of the pod under its name', async () => {
    const token = await tokenOf('mine');
    const body = { spec: { podUID: 'that-of-another' } };
    const patched: Said = await api.ask({ method: 'PATCH', path: `${collection}/mine`, body, type: 'application/merge-patch+json' });
    expect(patched.status).toBe(200);
    expect(await write('mine', 'mine', token)).toMatch(/403 .*the token is not of the pod/u);
  });

  test('is written by a person who may', async () => {
    expect(await write('mine', 'other', 'admin-token')).toBe('');
  });
});

describe('the operator and pods', () => {
  let token: string;
  const pods = '/api/v1/namespaces/open/pods';

  beforeAll(async () => {
    const metadata = { name: 'rekey-operator' };
    await api.admin.create('/api/v1/namespaces/rekey-system/serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    // More than the chart gives it: the policy alone is what holds here.
    const subjects = [{ kind: 'ServiceAccount', name: 'rekey-operator', namespace: 'rekey-system' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    await api.admin.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'operator-may-all' },
      roleRef,
      subjects,
    });
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const path = '/api/v1/namespaces/rekey-system/serviceaccounts/rekey-operator/token';
    token = (await api.admin.create<{ metadata: { name: string }; status: { token: string } }>(path, request)).status.token;
    const annotated = pod({ injected: 'true' }, [sidecar()], {}, 'touched') as { metadata: object };
    const annotations = { 'rekey.dev/snapshot': 'x' };
    await api.admin.create(pods, { ...annotated, metadata: { ...annotated.metadata, annotations } });
    await api.admin.create(pods, pod({}, [], {}, 'untouched'));
    await until(async () => ((await patch({ metadata: { labels: { a: 'b' } } })) === '' ? undefined : true));
  });

  const patch = (body: object, name = 'touched', by = token): Promise<string> =>
    said({ method: 'PATCH', path: `${pods}/${name}?dryRun=All`, body, type: 'application/merge-patch+json', token: by });

  test('it may set, change and remove its annotation', async () => {
    expect(await patch({ metadata: { annotations: { 'rekey.dev/refresh': '1' } } })).toBe('');
    await api.admin.patch(`${pods}/touched`, { metadata: { annotations: { 'rekey.dev/refresh': '1' } } });
    expect(await patch({ metadata: { annotations: { 'rekey.dev/refresh': '2' } } })).toBe('');
    expect(await patch({ metadata: { annotations: { 'rekey.dev/refresh': null } } })).toBe('');
  });

  const refused: [string, object][] = [
    ['another annotation', { metadata: { annotations: { other: '1' } } }],
    ['the snapshot', { metadata: { annotations: { 'rekey.dev/snapshot': 'y' } } }],
    ['the snapshot, by taking it away', { metadata: { annotations: { 'rekey.dev/snapshot': null } } }],
    ['a label', { metadata: { labels: { 'rekey.dev/injected': 'none' } } }],
    ['an owner', { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'x' }] } }],
    ['a finalizer', { metadata: { finalizers: ['example.com/held'] } }],
    ['an image', { spec: { containers: [{ name: 'server', image: 'other' }] } }],
  ];
  test.each(refused)('it may not change %s', async (_name, body) => {
    expect(await patch(body)).toMatch(/403 .*changes nothing of a pod but its annotation/u);
  });

  test('it may not change a pod without the sidecar', async () => {
    expect(await patch({ metadata: { annotations: { 'rekey.dev/refresh': '1' } } }, 'untouched')).toMatch(
      /403 .*no pod that has no sidecar/u,
    );
  });

  test('a person may', async () => {
    expect(await patch({ metadata: { annotations: { other: '1' } } }, 'touched', 'admin-token')).toBe('');
  });
});
