import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloudObjects } from '../clouds/objects.ts';
import { blockOf } from '@rekey/lib/page.fixture.ts';
import { addressOf, apply, get, kubectl } from './kube.ts';
import { home, run } from './run.ts';
import type { Source } from './source.ts';
import { ask } from './web.ts';

const name = 'aws';
const region = 'eu-central-1';
const account = '123456789012';
const hosts = ['secretsmanager', 'sts'].map((service) => `${service}.${region}.amazonaws.com`);
const roleARN = (role: string): string => `arn:aws:iam::${account}:role/${role}`;

/** The cluster's AWS, as the person who owns the account. */
export class AWS {
  readonly #url: string;

  private constructor(url: string) {
    this.#url = url;
  }

  static async connect(): Promise<AWS> {
    return new AWS(`http://${await addressOf(name, name)}:8080`);
  }

  /** Secrets Manager by action; of what it refuses only the kind of error is told. */
  async secrets(action: string, input: object): Promise<Record<string, unknown>> {
    const { status, json } = await ask(`${this.#url}/secrets`, { method: 'POST', body: { action, input } });
    const answer = (json ?? {}) as Record<string, unknown>;
    if (status >= 300) throw new Error(`AWS answered ${status} ${String(answer['__type'])} to ${action}`);
    return answer;
  }

  /** Writes a new version of a secret; resolves with its id. */
  async write(secretId: string, data: Record<string, unknown>): Promise<string> {
    const SecretString = JSON.stringify(data);
    const { VersionId } = await this.secrets('PutSecretValue', { SecretId: secretId, SecretString }).catch(() =>
      this.secrets('CreateSecret', { Name: secretId, SecretString }),
    );
    return String(VersionId);
  }

  /** Removes the secret with all its versions, if it is there. */
  async remove(secretId: string): Promise<void> {
    await this.secrets('DeleteSecret', { SecretId: secretId, ForceDeleteWithoutRecovery: true }).catch(() => undefined);
  }

  /** The roles of the page, trusting this cluster. */
  async grant(): Promise<void> {
    const { json } = await ask(`${this.#url}/healthz`);
    const { issuer } = json as { issuer: string };
    const document = (block: string): object =>
      JSON.parse(blockOf('aws', block).replaceAll('oidc.example.com/id/CLUSTER', issuer.replace(/^https:\/\//u, ''))) as object;
    const roles = { mcp: 'sidecar', 'rekey-operator': 'operator' };
    for (const [role, who] of Object.entries(roles)) {
      const body = { arn: roleARN(role), trust: document(`${who}-trust`), policies: [document(`${who}-policy`)] };
      const { status } = await ask(`${this.#url}/role`, { method: 'PUT', body });
      if (status >= 300) throw new Error(`AWS answered ${status} to a role`);
    }
  }
}

/** AWS at its public names, with the roles of the documentation and the store `aws`. `ca`: who signs its certificate. */
export async function awsUp(image: string, ca: string): Promise<void> {
  const [key = '', cert = ''] = await Promise.all(
    ['key', 'crt'].map((suffix) => readFile(join(home, `run/internet/clouds/aws.${suffix}`), 'utf8')),
  );
  await apply(cloudObjects({ name, image, certificate: { key, cert } }));
  await kubectl('-n', name, 'rollout', 'status', `deployment/${name}`, '--timeout=180s');
  const { spec } = await get<{ spec: { clusterIP: string } }>('service', name, '-n', name);
  await run(
    'e2e/cluster/names',
    hosts.map((host) => `${host}=${spec.clusterIP}`),
  );
  await (await AWS.connect()).grant();
  await apply([store(ca)]);
}

function store(caBundle: string): object {
  return {
    apiVersion: 'rekey.dev/v1alpha1',
    kind: 'MCPCredentialStore',
    metadata: { name },
    spec: { awsSecretsManager: { region, roleARN: roleARN('mcp'), operatorRoleARN: roleARN('rekey-operator'), caBundle } },
  };
}

export function awsSource(aws: AWS): Source {
  return {
    name: 'aws',
    versioned: true,
    reference: ({ secret: { path, key } }) => ({ source: { awsSecretsManager: { secretId: path, key } }, storeRef: { name } }),
    write: async ({ secret: { path, key } }, value) => {
      const version = await aws.write(path, { [key]: value });
      return () => Promise.resolve(version);
    },
    previous: 'AWSPREVIOUS',
    remove: ({ secret: { path } }) => aws.remove(path),
  };
}
