import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kubectl, pods } from './kube.ts';
import { home, until } from './run.ts';
import { ask } from './web.ts';

/** The cluster's Vault, as an administrator who knows the root token: spoken to at its Service's address, so that it works while the API server is away. */
export class Vault {
  readonly #address: string;
  readonly #ca: string;
  readonly #token: string;

  private constructor(address: string, ca: string, token: string) {
    this.#address = address;
    this.#ca = ca;
    this.#token = token;
  }

  static async connect(): Promise<Vault> {
    const [address, ca, token] = await Promise.all(
      ['address', 'ca.pem', 'root-token'].map((name) => readFile(join(home, 'run/vault', name), 'utf8')),
    );
    if (address === undefined || ca === undefined || token === undefined)
      throw new Error('there is no Vault: e2e/cluster/vault/up makes one');
    return new Vault(address.trim(), ca, token.trim());
  }

  get ca(): string {
    return this.#ca;
  }

  /** `token`: the root token unless given. */
  async request(method: string, path: string, body?: unknown, token = this.#token): Promise<{ status: number; json: unknown }> {
    return ask(`${this.#address}/v1/${path}`, {
      method,
      body,
      ca: this.#ca,
      servername: 'vault.vault.svc',
      headers: { 'x-vault-token': token },
    });
  }

  async #must(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, json } = await this.request(method, path, body);
    if (status >= 300) throw new Error(`Vault answered ${status} to ${method} ${path}`);
    return json;
  }

  /** Writes a new version of a secret; resolves with its number. */
  async write(path: string, data: Record<string, unknown>): Promise<string> {
    const answer = (await this.#must('POST', `kv/data/${path}`, { data })) as { data: { version: number } };
    return String(answer.data.version);
  }

  async deleteVersions(path: string, versions: number[], how: 'delete' | 'undelete' | 'destroy'): Promise<void> {
    await this.#must('POST', `kv/${how}/${path}`, { versions });
  }

  /** Removes the secret with all its versions. */
  async remove(path: string): Promise<void> {
    await this.#must('DELETE', `kv/metadata/${path}`);
  }

  async writePolicy(name: string, policy: string): Promise<void> {
    await this.#must('PUT', `sys/policies/acl/${name}`, { policy });
  }

  /** Takes Vault away for everybody, while `during` runs: its pod ends, and comes back unsealed with all that it held. */
  async away<T>(during: () => Promise<T>): Promise<T> {
    const scale = (replicas: number): Promise<string> => kubectl('-n', 'vault', 'scale', 'deployment/vault', `--replicas=${replicas}`);
    await scale(0);
    try {
      await until('Vault has ended', 60, async () => ((await pods('vault')).length === 0 ? true : undefined));
      return await during();
    } finally {
      await scale(1);
      await until('Vault is back', 90, async () =>
        (await this.request('GET', 'sys/health').catch(() => undefined))?.status === 200 ? true : undefined,
      );
    }
  }
}
