import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { builtProgram } from '@rekey/lib/process.real.ts';
import { signedToken } from '@rekey/lib/token.fixture.ts';
import { address, cores, vaultHost } from './namespace.ts';
import type { Place } from './pod.ts';
import { listening, startOn } from './process.ts';
import type { World } from './world.ts';

/** A Vault with one secret, the place where a pod reads it, and how its owner writes a new version of it. */
export interface OwnVault {
  place: Place;
  write: (value: string) => Promise<void>;
}

const audience = 'vault';
const subject = 'system:serviceaccount:tools:default';
const port = 8200;

/** Starts a real Vault with one secret, for a pod to read. Pods log in by tokens that it verifies by a key, since there is no cluster to ask. */
export async function startVault({ folder, value }: Pick<World, 'folder' | 'value'>): Promise<OwnVault> {
  const listen = [`-dev-listen-address=${address}:${port}`, '-dev-root-token-id=root', '-dev-no-store-token'];
  const tls = ['-dev-tls', `-dev-tls-cert-dir=${folder}`, `-dev-tls-san=${vaultHost}`];
  const child = startOn(cores.others, [builtProgram('vault'), 'server', '-dev', ...listen, ...tls], {
    env: { HOME: folder },
    stdio: 'ignore',
  });
  await listening(child, address, port);
  const caBundle = readFileSync(join(folder, 'vault-ca.pem'), 'utf8');
  const post = (path: string, body: object): Promise<void> => call(caBundle, path, body);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await post('sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  await post('sys/policies/acl/mcp', { policy: 'path "kv/data/mcp/*" { capabilities = ["read"] }' });
  await post('sys/auth/jwt', { type: 'jwt' });
  await post('auth/jwt/config', { jwt_validation_pubkeys: [keys.publicKey.export({ type: 'spki', format: 'pem' })] });
  const bound = { bound_audiences: [audience], user_claim: 'sub', bound_subject: subject };
  await post('auth/jwt/role/mcp', { role_type: 'jwt', ...bound, token_policies: ['mcp'], token_ttl: '1h' });
  const write = (token: string): Promise<void> => post('kv/data/mcp/bench', { data: { token } });
  await write(value);
  const auth = { jwt: { mount: 'jwt', role: 'mcp', operatorRole: 'rekey-operator', audience } };
  // For longer than any bench runs: there is no kubelet to bring another.
  const exp = Math.floor(Date.now() / 1000) + 36_000;
  const token = signedToken({ aud: audience, sub: subject, exp }, keys.privateKey);
  const place = {
    source: { vault: { path: 'mcp/bench', key: 'token' } },
    store: { vault: { address: `https://${vaultHost}:${port}`, caBundle, mount: 'kv', auth }, pollIntervalSeconds: 10 },
    files: { 'identity/source/default/token': token },
  };
  return { place, write };
}

/** One write as root. */
async function call(ca: string, path: string, body: object): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    const options = {
      host: address,
      servername: vaultHost,
      port,
      path: `/v1/${path}`,
      method: 'POST',
      ca,
      headers: { 'x-vault-token': 'root' },
    };
    const request = https.request(options, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end(JSON.stringify(body));
  });
  if (status >= 300) throw new Error(`Vault answered ${status} to a write of ${path}`);
}
