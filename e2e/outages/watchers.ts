import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { lookup } from 'node:dns';
import { join } from 'node:path';
import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import { adminToken } from '@rekey/operator/controller/api-server.real.ts';
import type { RealApiServer } from '@rekey/operator/controller/api-server.real.ts';
import { startController } from '@rekey/operator/controller/start.ts';
import { temporaryFolder, until } from '@rekey/lib/process.real.ts';
import { startCredentials } from '@rekey/sidecar/credential/credentials.ts';
import { trustedBy } from '@rekey/sidecar/tls/trust.ts';
import { Registry } from 'prom-client';

// The operator's controller and a sidecar's credentials, as they are in their pods, both by way of a port of loopback.

/** Where they find the API server, and how long a watch may be silent. */
export interface Way {
  port: number;
  ca?: string;
  idleMilliseconds?: number;
}

export interface Watchers {
  /** The collections that are watched, each once. */
  collections: readonly string[];
  /** The `cacheTTLSeconds` that the sidecar goes by. */
  sidecarHas: () => number | undefined;
  stop: () => Promise<void>;
}

const namespace = 'tools';
const collection = `${apiPath}/namespaces/${namespace}/mcpcredentials`;
const quiet = (): void => undefined;

/** Of a Kubernetes Secret, so that nothing but the API server is needed. */
const specOf = (name: string): object => ({
  source: { kubernetesSecret: { name, key: 'token' } },
  hosts: [`${name}.example.com`],
  inject: [{ header: { name: 'Authorization' } }],
  podSelector: { matchLabels: { app: name } },
});

export const createNamespace = ({ admin }: RealApiServer): Promise<unknown> =>
  admin.apply(`/api/v1/namespaces/${namespace}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });

export const createCredential = ({ admin }: RealApiServer, name: string): Promise<unknown> =>
  admin.create(collection, { apiVersion, kind: 'MCPCredential', metadata: { name }, spec: specOf(name) });

export const editCredential = ({ admin }: RealApiServer, name: string, spec: object): Promise<unknown> =>
  admin.patch(`${collection}/${name}`, { spec });

/** Waits until the operator has written a status: then it has seen the credential. */
export const seenByOperator = ({ admin }: RealApiServer, name: string): Promise<unknown> =>
  until(async () => ((await admin.read<Credential>(`${collection}/${name}`))?.status?.conditions === undefined ? undefined : true));

/** Both, with the sidecar of a pod that has the credential `first`; resolves when both have seen it. */
export async function startWatchers(api: RealApiServer, { port, ca, ...deadline }: Way): Promise<Watchers> {
  const first = (await until(() => api.admin.read<Credential>(`${collection}/first`))).spec;
  const controller = startController({
    kubernetes: api.at(port, ca),
    config: { namespace: 'rekey', pod: 'rekey-operator-1', serviceAccount: 'rekey-operator', sidecarClusterRole: 'rekey-sidecar' },
    log: quiet,
    signal: new AbortController().signal,
    registry: new Registry(),
    ...deadline,
  });
  const identity = identityOf(api, ca);
  const credentials = startCredentials({
    config: {
      namespace,
      pod: 'mcp-0',
      podUID: 'uid',
      serviceAccount: 'default',
      extraCA: undefined,
      logLevel: 'error',
      auditOTLP: undefined,
      kubernetes: { host: '127.0.0.1', port },
      identity,
      secrets: identity,
      snapshot: { credentials: [{ name: 'first', spec: first }], stores: [] },
    },
    log: quiet,
    lookup,
    trusted: trustedBy(undefined),
    ...deadline,
  });
  await until(() => (controller.state.synced() ? true : undefined));
  return {
    collections: [...cluster, collection],
    sidecarHas: () => credentials.list()[0]?.spec()?.cacheTTLSeconds,
    stop: async () => {
      controller.stop();
      await credentials.stop();
      rmSync(identity, { recursive: true });
    },
  };
}

const cluster = [
  ...['mcpcredentials', 'mcpcredentialstores', 'mcpcredentialbindings'].map((plural) => `${apiPath}/${plural}`),
  '/api/v1/pods',
  '/api/v1/namespaces',
  '/apis/rbac.authorization.k8s.io/v1/rolebindings',
];

function identityOf(api: RealApiServer, ca = api.ca): string {
  const folder = temporaryFolder('identity');
  mkdirSync(join(folder, 'api'));
  writeFileSync(join(folder, 'api/token'), adminToken);
  writeFileSync(join(folder, 'api/ca.crt'), ca);
  return folder;
}
