import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { parseAllDocuments } from 'yaml';

export interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}
interface Container {
  name: string;
  image: string;
  env: { name: string; value?: string }[];
  securityContext: object;
}
interface Selectors {
  namespaceSelector: object;
  objectSelector: object;
}
interface Pod {
  securityContext: object;
  containers: Container[];
  initContainers?: Container[];
  priorityClassName?: string;
  topologySpreadConstraints?: object[];
}
export interface Manifest {
  kind: string;
  metadata: { name: string; namespace?: string };
  rules?: Rule[];
  webhooks?: (Selectors & { name: string; failurePolicy: string; clientConfig: object })[];
  spec?: {
    template?: { spec: Pod };
    policyName?: string;
    failurePolicy?: string;
    validationActions?: string[];
    matchResources?: Selectors;
  };
}

const chart = new URL('.', import.meta.url).pathname;
export const address = 'vault.address=https://vault.vault.svc:8200';

const built = `${process.env.REKEY_E2E_HOME ?? `${homedir()}/.cache/rekey-e2e`}/bin/helm`;
const helm = existsSync(built) ? built : 'helm';
beforeAll(() => {
  const { error } = spawnSync(helm, ['version']);
  if (error !== undefined)
    throw new Error(`helm is not to be had: run e2e/cluster/build helm, which makes ${built}, or put helm 3 into PATH`);
});

/** What `helm template` makes of `--set` values, in a namespace, over a values file. */
export function template(set: readonly string[] = [address], namespace = 'rekey-system', file: object = {}): Manifest[] {
  const options = ['--namespace', namespace, '--kube-version', '1.30.0', '--values', '-', ...set.flatMap((value) => ['--set', value])];
  const text = execFileSync(helm, ['template', 'rekey', chart, ...options], {
    input: JSON.stringify(file),
    encoding: 'utf8',
    stdio: 'pipe',
  });
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
