import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import type { Internet } from './internet.ts';
import { get, kubectl, list } from './kube.ts';
import { newSecret } from './secret.ts';
import { until } from './run.ts';
import type { Vault } from './vault.ts';

export interface CredentialObject {
  metadata: { name: string; namespace: string; generation: number };
  status?: {
    version?: string;
    pods?: { bound: number; current: number; failing: number; summary: string };
    rotation?: { phase: string; trigger: string };
    history?: { version: string; durationMilliseconds: number; result: string }[];
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

export const condition = (credential: CredentialObject, type: string): { status: string; reason: string; message: string } | undefined =>
  credential.status?.conditions?.find((one) => one.type === type);

export const credentials = (namespace = 'tools'): Promise<CredentialObject[]> => list<CredentialObject>('mcpcredentials', '-n', namespace);

export const credential = (name: string, namespace = 'tools'): Promise<CredentialObject> =>
  get<CredentialObject>('mcpcredential', name, '-n', namespace);

export interface Rotation {
  server: Server;
  /** Version in the vault. */
  version: string;
  /** The new key's name at the provider. */
  key: string;
  /** When the vault had the new value, milliseconds since 1970. */
  at: number;
}

/** The keys of the eleven servers: issued by the provider, written to the vault, revoked when asked to. */
export class Keys {
  readonly #vault: Vault;
  readonly #internet: Internet;
  readonly #current = new Map<string, string>();
  #count = 0;

  constructor(vault: Vault, internet: Internet) {
    this.#vault = vault;
    this.#internet = internet;
  }

  /** What a rotation is for a person: a new key at the provider, one write to the vault, and the old key revoked at once, later or never. */
  async rotate(server: Server, { revoke }: { revoke: boolean }): Promise<Rotation> {
    const value = newSecret();
    const key = `${server.name}/${(this.#count += 1)}`;
    await this.#internet.issue(server.api, key, value);
    const version = await this.#vault.write(server.vault.path, { [server.vault.key]: value });
    const at = Date.now();
    const old = this.#current.get(server.name);
    this.#current.set(server.name, key);
    if (revoke && old !== undefined) await this.#internet.revoke(server.api, old);
    return { server, version, key, at };
  }

  current(server: Server): string | undefined {
    return this.#current.get(server.name);
  }
}

/** Waits until every pod of a credential uses the version; resolves with when that was seen. */
export async function propagated(name: string, version: string, seconds = 120): Promise<number> {
  await until(`${name}: every pod on version ${version}`, seconds, async () => {
    const object = await credential(name);
    const done =
      object.status?.version === version &&
      condition(object, 'Propagated')?.status === 'True' &&
      object.status.pods?.current === object.status.pods?.bound;
    return done ? true : undefined;
  });
  return Date.now();
}

export const patch = (name: string, spec: object, namespace = 'tools'): Promise<string> =>
  kubectl('patch', 'mcpcredential', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec }));

export { fleet };
