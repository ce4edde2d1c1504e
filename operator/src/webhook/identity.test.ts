import { storeSpec } from '@rekey/crds/store.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import { equivalentIdentities } from './identity.ts';
import type { Container, PodSpec } from './pod.ts';

const role = 'arn:aws:iam::123456789012:role/mcp';
const stores = {
  vault: { vault: { address: 'https://vault', auth: { kubernetes: { role: 'mcp' } } } },
  open: {
    vault: { address: 'https://vault', auth: { kubernetes: { role: 'mcp', audience: 'https://kubernetes.default.svc.cluster.local' } } },
  },
  aws: { awsSecretsManager: { region: 'eu-central-1', roleARN: role, operatorRoleARN: role } },
};

function warnings(
  store: keyof typeof stores,
  container: Partial<Container>,
  audience?: string,
  source: object = goodSpec.source,
): string[] {
  const token = { serviceAccountToken: { path: 'token', ...(audience === undefined ? {} : { audience }) } };
  const spec: PodSpec = {
    containers: [{ name: 'server', ...container }],
    initContainers: [{ name: 'rekey', volumeMounts: [{ name: 'token', mountPath: '/t' }], env: [{ name: 'AWS_ACCESS_KEY_ID' }] }],
    volumes: [
      { name: 'token', projected: { sources: [token] } },
      { name: 'data', emptyDir: {} },
    ],
  };
  const credential = credentialSpec.parse({ ...goodSpec, source, storeRef: { name: store } });
  const snapshot = { credentials: [{ name: 'github', spec: credential }], stores: [{ name: store, spec: storeSpec.parse(stores[store]) }] };
  return equivalentIdentities(spec, snapshot).map(({ reason, message }) => `${reason}: ${message}`);
}
const mounts: Partial<Container> = { volumeMounts: [{ name: 'token', mountPath: '/t' }] };
const irsa: Partial<Container> = { env: [{ name: 'AWS_WEB_IDENTITY_TOKEN_FILE', value: '/t/token' }] };

const warned: [string, string[], RegExp][] = [
  [
    'an identity of IRSA beside a store of AWS',
    warnings('aws', irsa),
    /^EquivalentIdentity: container server has AWS_WEB_IDENTITY_TOKEN_FILE/u,
  ],
  [
    'a token with the audience of the store',
    warnings('vault', mounts, 'vault'),
    /container server mounts token, a token with the audience vault/u,
  ],
  [
    'an automounted token where the role has the audience of the API server',
    warnings('open', mounts),
    /mounts token, a token with the audience https/u,
  ],
];
test.each(warned)('warned of: %s', (_name, said, message) => {
  expect(said).toEqual([expect.stringMatching(message)]);
});

const silent: [string, string[]][] = [
  ['an identity of AWS beside a vault', warnings('vault', irsa)],
  ['an automounted token where the role has an audience of its own', warnings('vault', mounts)],
  ['a token with another audience', warnings('vault', mounts, 'other')],
  ['a token that the container does not mount', warnings('vault', { volumeMounts: [{ name: 'data', mountPath: '/d' }] }, 'vault')],
  ['a credential without a store', warnings('aws', irsa, undefined, { kubernetesSecret: { name: 'a', key: 'b' } })],
];
test.each(silent)('not warned of: %s, nor what the sidecar holds', (_name, said) => {
  expect(said).toEqual([]);
});
