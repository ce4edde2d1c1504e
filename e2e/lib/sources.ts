import { refreshAnnotation } from '@rekey/crds/names.ts';
import { fleet } from '../servers/fleet.ts';
import type { Server } from '../servers/fleet.ts';
import { namespace } from '../servers/objects.ts';
import { credential } from './credential.ts';
import { apply, kubectl } from './kube.ts';
import { until } from './run.ts';
import type { Source, SourceName } from './source.ts';
import type { Vault } from './vault.ts';

/** Which source each server of the fleet reads from: in turn, so that every kind of server meets several. */
export class Sources {
  readonly #all: readonly Source[];

  constructor(all: readonly Source[]) {
    this.#all = all;
  }

  get all(): readonly Source[] {
    return this.#all;
  }

  of(server: Server): Source {
    const source = this.#all[fleet.findIndex(({ name }) => name === server.name) % this.#all.length];
    if (source === undefined) throw new Error('there is no source');
    return source;
  }

  /** The servers that read from the source of that name. */
  servers(name: SourceName): Server[] {
    return fleet.filter((server) => this.of(server).name === name);
  }
}

export function vaultSource(vault: Vault): Source {
  return {
    name: 'vault',
    versioned: true,
    reference: ({ secret }) => ({ source: { vault: secret } }),
    write: async ({ secret }, value) => {
      const version = await vault.write(secret.path, { [secret.key]: value });
      return () => Promise.resolve(version);
    },
    remove: ({ secret }) => vault.remove(secret.path),
  };
}

/** Marks the Secrets that are sources: the value stands in them, and a search for leaks must not call that one. */
export const sourceLabel = 'rekey.test/source';

/** Secrets of the namespace, written as a pipeline does it, with the one command that makes the change immediate. */
export function kubernetesSource(): Source {
  return {
    name: 'kubernetes',
    versioned: false,
    reference: ({ name, secret: { key } }) => ({ source: { kubernetesSecret: { name: secretName(name), key } } }),
    write: async (server, value) => {
      const before = await versionOf(server);
      const metadata = { name: secretName(server.name), namespace, labels: { [sourceLabel]: 'true' } };
      await apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { [server.secret.key]: value } }]);
      if (before !== undefined) {
        await kubectl('-n', namespace, 'annotate', 'mcpcredential', server.name, `${refreshAnnotation}=${Date.now()}`, '--overwrite');
      }
      // Known once a pod has read it; what a later write makes of it does not count.
      let version: Promise<string> | undefined;
      return () => (version ??= until(`another version of ${server.name}`, 120, () => otherVersion(server, before)));
    },
    remove: async ({ name }) => {
      await kubectl('-n', namespace, 'delete', 'secret', secretName(name), '--ignore-not-found');
    },
  };
}

const secretName = (server: string): string => `${server}-key`;

async function versionOf({ name }: Server): Promise<string | undefined> {
  return (await credential(name).catch(() => undefined))?.status?.version;
}

async function otherVersion(server: Server, before: string | undefined): Promise<string | undefined> {
  const version = await versionOf(server);
  return version === before ? undefined : version;
}
