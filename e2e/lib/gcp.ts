import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { documentedGrants } from '../clouds/gcp-grants.ts';
import { cloudObjects } from '../clouds/objects.ts';
import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import { addressOf, apply, get, kubectl } from './kube.ts';
import { home, run } from './run.ts';
import type { Source } from './source.ts';
import { ask } from './web.ts';

const name = 'gcp';
const project = 'my-project';
const hosts = ['secretmanager', 'sts', 'iamcredentials'].map((service) => `${service}.googleapis.com`);
const resource = (secret: string): string => `projects/${project}/secrets/${secret}`;
/** The id of a secret has no slash. */
const idOf = ({ secret: { path } }: Server): string => path.replaceAll('/', '-');

/** The cluster's Google, as the person who owns the project. */
export class GCP {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async connect(): Promise<GCP> {
    return new GCP(`http://${await addressOf(name, name)}:8080`);
  }

  async #must(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const { status, json } = await ask(`${this.#url}/${path}`, { method, body });
    if (status >= 300) throw new Error(`GCP answered ${status} to ${method} /${path}`);
    return (json ?? {}) as Record<string, unknown>;
  }

  /** Adds a version to a secret, which is made if it is not there; resolves with its number. */
  async write(secret: string, data: Record<string, unknown>): Promise<string> {
    const { version } = await this.#must('POST', 'add', { secret: resource(secret), value: JSON.stringify(data) });
    return String(version);
  }

  /** Removes the secret with all its versions, if it is there. */
  async remove(secret: string): Promise<void> {
    await this.#must('POST', 'delete', { secret: resource(secret) });
  }

  /** The commands of the page, for each secret of the fleet. */
  async grant(): Promise<void> {
    const provider = (await this.#must('GET', 'healthz'))['provider'];
    if (provider !== workloadIdentityProvider) throw new Error(`GCP has provider ${String(provider)}`);
    const grants = fleet.flatMap((server) => documentedGrants().map((grant) => ({ ...grant, resource: resource(idOf(server)) })));
    await this.#must('PUT', 'grants', { grants });
  }
}

/** GCP at its public names, with the grants of the documentation and the store `gcp`. `ca`: who signs its certificate. */
export async function gcpUp(image: string, ca: string): Promise<void> {
  const [key = '', cert = ''] = await Promise.all(
    ['key', 'crt'].map((suffix) => readFile(join(home, `run/internet/clouds/gcp.${suffix}`), 'utf8')),
  );
  await apply(cloudObjects({ name, image, certificate: { key, cert } }));
  await kubectl('-n', name, 'rollout', 'status', `deployment/${name}`, '--timeout=180s');
  const { spec } = await get<{ spec: { clusterIP: string } }>('service', name, '-n', name);
  await run(
    'e2e/cluster/names',
    hosts.map((host) => `${host}=${spec.clusterIP}`),
  );
  await (await GCP.connect()).grant();
  await apply([store(ca)]);
}

const workloadIdentityProvider = '//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/rekey/providers/cluster';

function store(caBundle: string): object {
  return {
    apiVersion: 'rekey.dev/v1alpha1',
    kind: 'MCPCredentialStore',
    metadata: { name },
    spec: { gcpSecretManager: { project, workloadIdentityProvider, caBundle } },
  };
}

export function gcpSource(gcp: GCP): Source {
  return {
    name: 'gcp',
    versioned: true,
    reference: (server) => ({ source: { gcpSecretManager: { secret: idOf(server), key: server.secret.key } }, storeRef: { name } }),
    write: async (server, value) => {
      const version = await gcp.write(idOf(server), { [server.secret.key]: value });
      return () => Promise.resolve(version);
    },
    remove: (server) => gcp.remove(idOf(server)),
  };
}
