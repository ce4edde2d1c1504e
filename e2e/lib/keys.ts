import type { Server } from '../servers/fleet.ts';
import type { Internet } from './internet.ts';
import { newSecret } from './secret.ts';
import type { Sources } from './sources.ts';

export interface Rotation {
  server: Server;
  /** Its version at the source, once that is known. */
  version: () => Promise<string>;
  /** The new key's name at the provider. */
  key: string;
  /** When the source had the new value, milliseconds since 1970. */
  at: number;
}

interface Key {
  name: string;
  value: string;
  version: () => Promise<string>;
}

/** The keys of the eleven servers: issued by the provider, written to the source, revoked when asked to. */
export class Keys {
  readonly #sources: Sources;
  readonly #internet: Internet;
  readonly #written = new Map<string, Key[]>();
  #count = 0;

  constructor(sources: Sources, internet: Internet) {
    this.#sources = sources;
    this.#internet = internet;
  }

  /** What a rotation is for a person: a new key at the provider, one write to the source, and the old key revoked at once, later or never. */
  async rotate(server: Server, { revoke }: { revoke: boolean }): Promise<Rotation> {
    const value = newSecret();
    const name = `${server.name}/${(this.#count += 1)}`;
    await this.#internet.issue(server.api, name, value);
    const written = this.#written.get(server.name) ?? [];
    const old = written.at(-1);
    await old?.version();
    const version = await this.#sources.of(server).write(server, value);
    const at = Date.now();
    this.#written.set(server.name, [...written, { name, value, version }]);
    if (revoke && old !== undefined) await this.#internet.revoke(server.api, old.name);
    return { server, version, key: name, at };
  }

  /** Makes the key before the newest valid again, as one does before a roll-back; resolves with its version. */
  async reinstate(server: Server): Promise<string> {
    const key = this.#written.get(server.name)?.at(-2);
    if (key === undefined) throw new Error(`${server.name} has no earlier key`);
    await this.#internet.issue(server.api, key.name, key.value);
    return key.version();
  }

  /** The versions of all keys of a server, oldest first. */
  versions(server: Server): Promise<string[]> {
    return Promise.all((this.#written.get(server.name) ?? []).map(({ version }) => version()));
  }
}
