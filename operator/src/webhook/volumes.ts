import { mounts, snapshotAnnotation } from '@rekey/crds/names.ts';
import type { CredentialSpec, KubernetesReference } from '@rekey/crds/credential.ts';
import { hasStore } from '@rekey/crds/source-kind.ts';
import { audienceOf } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import type { Volume } from './pod.ts';

const tokenSeconds = 3600;

/** The sidecar's volumes: its CA, its identities and the Secrets that it reads, mounted nowhere else, and the trust bundle, which the app reads. */
export function volumes(sources: Sources): Volume[] {
  const tokens = sources.storeNames.map((name) => source(name, sources.stores));
  return [
    { name: mounts.ca.volume, emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: mounts.trust.volume, emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
    { name: mounts.identity.volume, projected: { sources: [...api, snapshot, ...tokens] } },
    ...(sources.secrets.length === 0 ? [] : [{ name: mounts.secrets.volume, projected: { sources: secretSources(sources.secrets) } }]),
  ];
}

/** What the credentials of a pod are read from. */
export interface Sources {
  storeNames: readonly string[];
  stores: readonly Store[];
  secrets: readonly KubernetesReference[];
}

export function sourcesOf(credentials: readonly { spec: CredentialSpec }[], stores: readonly Store[]): Sources {
  const names = credentials.filter(({ spec }) => hasStore(spec.source)).map(({ spec }) => spec.storeRef.name);
  const secrets = credentials.flatMap(
    ({
      spec: {
        source: { kubernetesSecret },
      },
    }) => kubernetesSecret ?? [],
  );
  return { storeNames: [...new Set(names)], stores, secrets };
}

/** A Secret or a key that is not there yet keeps no pod from starting: its calls fail with the reason. */
function secretSources(references: readonly KubernetesReference[]): object[] {
  const names = [...new Set(references.map(({ name }) => name))];
  return names.map((name) => {
    const keys = new Set(
      references
        .filter((reference) => reference.name === name)
        .flatMap(({ key, userKey }) => (userKey === undefined ? [key] : [key, userKey])),
    );
    return { secret: { name, optional: true, items: [...keys].map((key) => ({ key, path: `${name}/${key}` })) } };
  });
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
