import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adminToken } from '../../operator/src/controller/api-server.real.ts';
import type { RealApiServer } from '../../operator/src/controller/api-server.real.ts';
import { builtProgram, startProcess, temporaryFolder } from '@rekey/lib/process.real.ts';
import type { RealProcess } from '@rekey/lib/process.real.ts';

/** https://kwok.sigs.k8s.io: plays the kubelets of all nodes, so that nodes are ready and pods run, without a container. */
export async function startKwok({ address, ca }: RealApiServer): Promise<RealProcess> {
  const folder = temporaryFolder('kwok');
  const kubeconfig = kubeconfigFile(folder, { address, ca, token: adminToken });
  const flags = [`--kubeconfig=${kubeconfig}`, '--manage-all-nodes=true', '--server-address=127.0.0.1:0'];
  return startProcess({ name: builtProgram('kwok'), arguments: flags, folder });
}

/** JSON is YAML. Resolves with the file's path. */
export function kubeconfigFile(folder: string, { address, ca, token }: { address: string; ca: string; token: string }): string {
  const file = join(folder, 'kubeconfig');
  const cluster = { server: address, 'certificate-authority-data': Buffer.from(ca).toString('base64') };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'scale', cluster }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'scale', context: { cluster: 'scale', user: 'user' } }],
    'current-context': 'scale',
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
