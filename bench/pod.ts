import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Credential, CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import type { FakeApiServer } from '../sidecar/src/api-server.fake.ts';
import { host } from './namespace.ts';

/** Where the credential of the bench's pod is read from, and the files that the kubelet mounts for it, by path under /run/rekey. */
export interface Place {
  source: CredentialSource;
  store?: StoreSpec;
  files: Record<string, string>;
}

const mounted = '/run/rekey';
const credential = 'bench';
export const placeholder = `Bearer rekey-placeholder-${credential}`;

/** Makes the folders of a new pod with one credential, in the place of those of the last one; `more` is what its spec has besides. The API server knows what the pod knows. */
export function mountPod(place: Place, apiServer: FakeApiServer, more: Partial<Credential['spec']> = {}): void {
  const { source, store, files } = place;
  const spec: Credential['spec'] = {
    source,
    storeRef: { name: 'default' },
    version: '',
    hosts: [host],
    inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
    refused: [{ status: 401 }],
    env: [{ name: 'TOKEN' }],
    podSelector: { matchLabels: { app: 'bench' } },
    cacheTTLSeconds: 60,
    maxStaleSeconds: 300,
    suspend: false,
    ...more,
  };
  const stores = store === undefined ? [] : [{ name: 'default', spec: store }];
  rmSync(mounted, { recursive: true, force: true });
  for (const name of ['ca', 'trust', 'secrets']) mkdirSync(join(mounted, name), { recursive: true });
  write('identity/pod/snapshot', JSON.stringify({ credentials: [{ name: credential, spec }], stores }));
  write('identity/api/ca.crt', apiServer.server.ca);
  write('identity/api/token', 'none');
  for (const [path, text] of Object.entries(files)) write(path, text);
  const group = '/apis/rekey.dev/v1alpha1';
  apiServer.set(`${group}/namespaces/tools/mcpcredentials`, { metadata: { name: credential }, spec } as { metadata: { name: string } });
  for (const { name, spec } of stores)
    apiServer.set(`${group}/mcpcredentialstores`, { metadata: { name }, spec } as { metadata: { name: string } });
}

function write(path: string, text: string): void {
  const whole = join(mounted, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
}
