import { spawn } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
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
  const binary = join(process.env['REKEY_E2E_HOME'] ?? join(homedir(), '.cache/rekey-e2e'), 'bin/vault');
  if (!existsSync(binary)) throw new Error(`there is no ${binary}: run e2e/cluster/build first, this test is about the real Vault`);
  const folder = mkdtempSync(join(tmpdir(), 'rekey-vault-'));
  const port = await freePort();
  const listen = [`-dev-listen-address=127.0.0.1:${port}`, '-dev-root-token-id=root', '-dev-no-store-token'];
  const child = spawn(binary, ['server', '-dev', '-dev-tls', `-dev-tls-cert-dir=${folder}`, ...listen], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const ca = await answering(folder, port);
  return {
    port,
    ca,
    call: (method, path, body) => call({ port, ca }, method, path, body),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
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

async function answering(folder: string, port: number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const ca = readFileSync(join(folder, 'vault-ca.pem'), 'utf8');
      await call({ port, ca }, 'GET', 'sys/health');
      return ca;
    } catch (error) {
      if (attempt === 200) throw error;
      await pause(100);
    }
  }
}
