import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { builtProgram, startProcess, temporaryFolder } from '@rekey/lib/process.real.ts';
import { signedToken } from '@rekey/lib/token.fixture.ts';

/** A real Vault in dev mode on loopback, over TLS with a CA of its own. */
export interface RealVault {
  port: number;
  ca: string;
  /** One call as root; fails the test when Vault does not do it. */
  call(method: string, path: string, body?: object): Promise<void>;
  stop(): Promise<void>;
}

export async function startVault(): Promise<RealVault> {
  const folder = temporaryFolder('vault');
  const port = await freePort();
  const flags = [`-dev-tls-cert-dir=${folder}`, `-dev-listen-address=127.0.0.1:${port}`, '-dev-root-token-id=root', '-dev-no-store-token'];
  const server = await startProcess({ name: builtProgram('vault'), arguments: ['server', '-dev', '-dev-tls', ...flags], folder });
  const ca = await server.until(() => readFileSync(join(folder, 'vault-ca.pem'), 'utf8'));
  const asRoot: RealVault['call'] = (method, path, body) => call({ port, ca }, method, path, body);
  await server.until(() => asRoot('GET', 'sys/health').then(() => true));
  return { port, ca, call: asRoot, stop: server.stop };
}

/** The API server's key, which the JWT method verifies tokens with. */
export const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });

export const publicKey = signer.publicKey.export({ type: 'spki', format: 'pem' });

/** A token as the API server makes it for a pod, as far as the JWT method looks. */
export function jwtOf(claims: object, key: KeyObject = signer.privateKey): string {
  return signedToken({ aud: 'vault', sub: 'system:serviceaccount:tools:default', ...claims }, key);
}

async function call({ port, ca }: Pick<RealVault, 'port' | 'ca'>, method: string, path: string, body?: object): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { 'x-vault-token': 'root' };
    const request = https.request({ host: 'localhost', port, path: `/v1/${path}`, method, ca, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
  if (status >= 300) throw new Error(`Vault answered ${status} to ${method} ${path}`);
}
