import { mounts, snapshotAnnotation } from '@rekey/crds/names.ts';
import { audienceOf } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Volume } from './pod.ts';

const tokenSeconds = 3600;

/** The sidecar's volumes: its CA and its identities, mounted nowhere else, and the trust bundle, which the app reads. */
export function volumes(storeNames: readonly string[], stores: readonly Store[]): Volume[] {
  return [
    { name: mounts.ca.volume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: mounts.trust.volume, emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
    { name: mounts.identity.volume, projected: { sources: [...api, snapshot, ...storeNames.map((name) => source(name, stores))] } },
  ];
}

const api = [
  { serviceAccountToken: { path: 'api/token', expirationSeconds: tokenSeconds } },
  { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'api/ca.crt' }] } },
];

const snapshot = {
  downwardAPI: { items: [{ path: 'pod/snapshot', fieldRef: { fieldPath: `metadata.annotations['${snapshotAnnotation}']` } }] },
};

function source(name: string, stores: readonly Store[]): object {
  const store = stores.find(({ metadata }) => metadata.name === name);
  const audience = audienceOf(store?.spec);
  return { serviceAccountToken: { path: `source/${name}/token`, audience, expirationSeconds: tokenSeconds } };
}
