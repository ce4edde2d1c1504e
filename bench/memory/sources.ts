import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { StoreSpec } from '@rekey/crds/store.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { until } from '@rekey/lib/process.real.ts';
import { keyId, signedToken } from '@rekey/lib/token.fixture.ts';
import { startVault } from '@rekey/lib/vault.real.ts';
import { control as awsControl, front as awsFront } from '../../e2e/clouds/aws-front.ts';
import type { AWS } from '../../e2e/clouds/aws-front.ts';
import { control as gcpControl, front as gcpFront } from '../../e2e/clouds/gcp-front.ts';
import type { GCP } from '../../e2e/clouds/gcp-front.ts';

/** A source that runs, with one value in it, and what a pod needs to read it. */
export interface Running {
  source: CredentialSource;
  store: StoreSpec | undefined;
  /** The pod's projected token. */
  token: string;
  /** Files of the pod's Secrets volume. */
  secrets: Record<string, string>;
  stop: () => void;
}

const root = new URL('../../', import.meta.url).pathname;
const value = 'sk-bench-0123456789';
const issuer = 'https://cluster.example';
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const subject = 'system:serviceaccount:tools:default';
const keys = [{ ...signer.publicKey.export({ format: 'jwk' }), kid: keyId }];

/** By the keys of `spec.source`. `folder` is for what a source leaves on the disk. */
export const sources: Readonly<Record<string, (folder: string) => Promise<Running>>> = {
  kubernetesSecret: () =>
    Promise.resolve({
      source: { kubernetesSecret: { name: 'github', key: 'token' } },
      store: undefined,
      token: 'none',
      secrets: { 'github/token': value },
      stop: () => undefined,
    }),
  vault,
  awsSecretsManager: aws,
  gcpSecretManager: gcp,
};

/** A token as the API server makes it for a pod. */
function tokenOf(aud: string): string {
  return signedToken({ iss: issuer, sub: subject, aud }, signer.privateKey);
}

/** A certificate for 127.0.0.1: the sidecar's own DNS would not find a name on this machine. */
function certificate(folder: string): { key: string; cert: string } {
  const [key, cert] = [join(folder, 'cloud.key'), join(folder, 'cloud.crt')];
  const subjectOf = ['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, ...subjectOf],
    {
      stdio: 'ignore',
    },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function ended(server: Server): void {
  server.closeAllConnections();
  server.close();
}

/** The real Vault in dev mode; pods log in by tokens that it verifies by a key, since there is no cluster to ask. */
async function vault(): Promise<Running> {
  const { address, caBundle, call, stop } = await startVault();
  await call('POST', 'sys/policies/acl/mcp', { policy: 'path "kv/data/mcp/*" { capabilities = ["read"] }' });
  await call('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await call('POST', 'sys/auth/jwt', { type: 'jwt' });
  await call('POST', 'auth/jwt/config', { jwt_validation_pubkeys: [signer.publicKey.export({ type: 'spki', format: 'pem' })] });
  const bound = { bound_audiences: ['vault'], user_claim: 'sub', bound_subject: subject };
  await call('POST', 'auth/jwt/role/mcp', { role_type: 'jwt', ...bound, token_policies: ['mcp'] });
  await call('POST', 'kv/data/mcp/github', { data: { token: value } });
  return {
    source: { vault: { path: 'mcp/github', key: 'token' } },
    store: storeSpec.parse({ vault: { address, caBundle, auth: { jwt: { role: 'mcp' } } } }),
    token: tokenOf('vault'),
    secrets: {},
    stop: () => void stop(),
  };
}

async function aws(folder: string): Promise<Running> {
  const program = execFileSync(join(root, 'e2e/clouds/moto'), { encoding: 'utf8' }).trim();
  const port = '15700';
  const moto = spawn(program, ['-H', '127.0.0.1', '-p', port], { stdio: 'ignore' });
  const role = 'arn:aws:iam::123456789012:role/mcp';
  const provider = { Federated: 'arn:aws:iam::123456789012:oidc-provider/cluster.example' };
  const trust = { Statement: [{ Effect: 'Allow' as const, Principal: provider, Action: 'sts:AssumeRoleWithWebIdentity' }] };
  const policies = [{ Statement: [{ Effect: 'Allow' as const, Action: 'secretsmanager:GetSecretValue', Resource: '*' }] }];
  const state: AWS = {
    moto: `http://127.0.0.1:${port}/`,
    issuer: { issuer, keys: () => Promise.resolve(keys) },
    roles: new Map([[role, { trust, policies }]]),
    sessions: new Map(),
    counts: {},
  };
  const tls = certificate(folder);
  const server = awsFront(state, tls);
  const endpoint = await listening(server);
  await until(
    () => fetch(`${state.moto}moto-api/`),
    () => (moto.exitCode === null ? undefined : new Error(`moto ended with ${moto.exitCode}: is port ${port} taken?`)),
  );
  await awsControl(state)['POST /secrets']?.({ action: 'CreateSecret', input: { Name: 'mcp/github', SecretString: value } });
  return {
    source: { awsSecretsManager: { secretId: 'mcp/github' } },
    store: storeSpec.parse({
      awsSecretsManager: {
        region: 'eu-central-1',
        roleARN: role,
        operatorRoleARN: role,
        endpoint,
        stsEndpoint: endpoint,
        caBundle: tls.cert,
      },
    }),
    token: tokenOf('sts.amazonaws.com'),
    secrets: {},
    stop: () => {
      moto.kill();
      ended(server);
    },
  };
}

async function gcp(folder: string): Promise<Running> {
  const pool = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/rekey';
  const member = `principal:${pool}/subject/${subject}`;
  const state: GCP = {
    issuer: { issuer, keys: () => Promise.resolve(keys) },
    provider: `${pool}/providers/cluster`,
    grants: [{ member, role: 'roles/secretmanager.secretAccessor', resource: 'projects/p' }],
    tokens: new Map(),
    secrets: new Map(),
    reads: new Map(),
    counts: {},
    fault: () => false,
  };
  const tls = certificate(folder);
  const server = gcpFront(state, tls);
  const endpoint = await listening(server);
  await gcpControl(state)['POST /add']?.({ secret: 'projects/p/secrets/github', value });
  const place = { endpoint, stsEndpoint: endpoint, caBundle: tls.cert };
  return {
    source: { gcpSecretManager: { secret: 'github' } },
    store: storeSpec.parse({ gcpSecretManager: { project: 'p', workloadIdentityProvider: state.provider, ...place } }),
    token: tokenOf(`https:${state.provider}`),
    secrets: {},
    stop: () => ended(server),
  };
}
