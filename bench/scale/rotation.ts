import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath, refreshAnnotation } from '@rekey/crds/names.ts';
import { listAndWatch } from '@rekey/lib/watch.ts';
import { until } from '@rekey/lib/process.real.ts';
import { findCondition } from '../../operator/src/status.ts';
import type { Cluster } from './cluster.ts';
import { tools, writeSecret } from './fleet.ts';
import type { Used } from './sidecars.ts';

/** What the fleet and its credentials say, as it comes in. */
export interface Fleet {
  /** When the last of `pods` pods came to use this version of the credential; undefined while one does not. */
  used: (credential: string, version: string, pods: number) => number | undefined;
  /** When the status said that every pod has it. */
  propagated: (credential: string, version: string) => number | undefined;
  hear: (used: Used) => void;
}

export function follow({ api: { admin } }: Cluster, signal: AbortSignal): Fleet {
  const counts = new Map<string, { pods: number; last: number }>();
  const told = new Map<string, number>();
  void listAndWatch<Credential>({
    path: `${apiPath}/namespaces/${tools}/mcpcredentials`,
    get: admin.get,
    signal,
    onChange: (_key, credential) => {
      if (credential === undefined || !isPropagated(credential)) return;
      const key = `${credential.metadata.name} ${credential.status?.version}`;
      if (!told.has(key)) told.set(key, Date.now());
    },
  });
  return {
    used: (credential, version, pods) => {
      const count = counts.get(`${credential} ${version}`);
      return count !== undefined && count.pods >= pods ? count.last : undefined;
    },
    propagated: (credential, version) => told.get(`${credential} ${version}`),
    hear: ({ credential, version, at }) => {
      const key = `${credential} ${version}`;
      counts.set(key, { pods: (counts.get(key)?.pods ?? 0) + 1, last: at });
    },
  };
}

function isPropagated({ status = {} }: Credential): boolean {
  return findCondition(status.conditions, 'Propagated')?.status === 'True' && (status.pods?.bound ?? 0) > 0;
}

export interface Times {
  /** Seconds from the write to the vault until the last pod uses the version, and until the status of the last credential says so. */
  used: number;
  propagated: number;
}

interface Asked {
  /** Credentials with the number of pods that carry each. */
  credentials: Map<string, number>;
  /** Whether somebody runs `kubectl rekey rotate` after the write, which sets this annotation. */
  push: boolean;
}

/** Writes a new version of each secret and waits until all has arrived. */
export async function rotate(cluster: Cluster, fleet: Fleet, { credentials, push }: Asked): Promise<Times> {
  const began = Date.now();
  const written = await Promise.all([...credentials.keys()].map(async (name) => [name, await writeSecret(cluster.vault, name)] as const));
  if (push) await Promise.all(written.map(([name]) => refresh(cluster, name)));
  const ends = written.map(async ([name, version]) => {
    const used = await until(() => fleet.used(name, version, credentials.get(name) ?? 0));
    const propagated = await until(() => fleet.propagated(name, version));
    return { used: (used - began) / 1000, propagated: (propagated - began) / 1000 };
  });
  const all = await Promise.all(ends);
  return { used: Math.max(...all.map(({ used }) => used)), propagated: Math.max(...all.map(({ propagated }) => propagated)) };
}

async function refresh({ api: { admin } }: Cluster, name: string): Promise<void> {
  const annotations = { [refreshAnnotation]: new Date().toISOString() };
  await admin.patch(`${apiPath}/namespaces/${tools}/mcpcredentials/${name}`, { metadata: { annotations } });
}
