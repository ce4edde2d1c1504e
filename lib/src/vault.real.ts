import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { freePort } from './free-port.fixture.ts';
import { builtProgram, startProcess, temporaryFolder } from './process.real.ts';

/** A real Vault in dev mode on loopback, over TLS with a CA of its own. */
export interface RealVault {
  address: string;
  port: number;
  caBundle: string;
  /** As root. Resolves with the answer's `data`, or rejects with its status. */
  call: (method: string, path: string, body?: object) => Promise<Record<string, unknown>>;
  raw: (method: string, path: string, parts: Parts) => Promise<Raw>;
  stop: () => Promise<void>;
}

const rootToken = 'root';

/** `vault server -dev -dev-tls`: the real server, over TLS with a CA that it makes itself. */
export async function startVault(): Promise<RealVault> {
  const folder = temporaryFolder('vault');
  const port = await freePort();
  const flags = [
    '-dev',
    '-dev-tls',
    `-dev-tls-cert-dir=${folder}`,
    `-dev-listen-address=127.0.0.1:${port}`,
    `-dev-root-token-id=${rootToken}`,
    '-dev-no-store-token',
  ];
  const environment = { SKIP_SETCAP: '1', VAULT_DISABLE_MLOCK: 'true' };
  const server = await startProcess({ name: builtProgram('vault'), arguments: ['server', ...flags], folder, environment });
  const caBundle = await server.until(() => readFileSync(join(folder, 'vault-ca.pem'), 'utf8'));
  const address = `https://127.0.0.1:${port}`;
  const ask = raw(address, caBundle);
  const call: RealVault['call'] = async (method, path, body = {}) => {
    const answer = await ask(method, path, { token: rootToken, body });
    if (answer.status >= 300) throw new Error(`HTTP ${answer.status} ${method} ${path} ${JSON.stringify(answer.body)}`);
    return (answer.body.data ?? {}) as Record<string, unknown>;
  };
  await server.until(() => call('GET', 'sys/health'));
  return { address, port, caBundle, raw: ask, call, stop: server.stop };
}

interface Parts {
  token?: string;
  body?: object;
}

interface Raw {
  status: number;
  body: Record<string, unknown>;
}

function raw(address: string, ca: string): RealVault['raw'] {
  return (method, path, { token, body }) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-length': String(Buffer.byteLength(text)), ...(token === undefined ? {} : { 'x-vault-token': token }) };
      const outgoing = request(`${address}/v1/${path}`, { method, ca, headers, agent: false }, (response) => {
        let answer = '';
        response.on('data', (chunk: Buffer) => (answer += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: answer === '' ? {} : (JSON.parse(answer) as Raw['body']) }),
        );
      });
      outgoing.once('error', reject).end(text);
    });
}
