import { setTimeout as sleep } from 'node:timers/promises';
import { sum } from '../lib/driver.ts';
import type { Driver } from '../lib/driver.ts';
import type { Internet } from '../lib/internet.ts';
import { pods, restarts } from '../lib/kube.ts';
import { until } from '../lib/run.ts';
import { newSecret } from '../lib/secret.ts';
import { fleet } from '../servers/fleet.ts';
import { namespace } from '../servers/objects.ts';
import type { Placement } from './placement.ts';

export const kinds = ['overlap', 'revoked at once'] as const;
export type Kind = (typeof kinds)[number];

/** What one rotation of all keys was like. Times from the first write, in milliseconds. */
export interface Measured {
  placement: Placement['name'];
  kind: Kind;
  steps: number;
  /** Pods that were made anew, and containers that started again in those that were not. */
  restarts: number;
  calls: number;
  failed: number;
  millisecondsToLastServer: number;
  millisecondsUntilKnown: number;
}

/** The keys of the fleet at the providers, a generation at a time. */
export class Generations {
  readonly #internet: Internet;
  #number = 0;

  constructor(internet: Internet) {
    this.#internet = internet;
  }

  /** Issues a key for each server. */
  async issue(): Promise<Map<string, string>> {
    this.#number += 1;
    const keys = new Map(fleet.map(({ name }) => [name, newSecret()]));
    for (const { name, api } of fleet) await this.#internet.issue(api, this.nameOf(name), keys.get(name) ?? '');
    return keys;
  }

  /** Revokes all keys of the generation before. */
  async revokeOld(): Promise<void> {
    for (const { name, api } of fleet) await this.#internet.revoke(api, this.nameOf(name, this.#number - 1));
  }

  nameOf(server: string, number = this.#number): string {
    return `${server}/${number}`;
  }
}

/** Rotates all keys under traffic; at rest before and after. `rate` is calls a second, of all servers together. */
export async function measure(
  placement: Placement,
  kind: Kind,
  { driver, internet, generations, rate }: { driver: Driver; internet: Internet; generations: Generations; rate: number },
): Promise<Measured> {
  await driver.start(rate);
  await sleep(10_000);
  const before = await census();
  const known = await placement.watch();
  const keys = await generations.issue();
  const began = Date.now();
  await placement.rotate(keys, false);
  if (kind === 'revoked at once') await generations.revokeOld();
  const since = async (end: Promise<unknown>): Promise<number> => {
    await end;
    return Date.now() - began;
  };
  const [last, untilKnown] = await Promise.all([lastFirstUse(internet, generations), since(known())]);
  if (kind === 'overlap') await generations.revokeOld();
  await sleep(10_000);
  const stats = await driver.stop();
  return {
    placement: placement.name,
    kind,
    steps: placement.steps.length,
    restarts: restartsSince(before, await census()),
    calls: sum(stats, 'calls'),
    failed: sum(stats, 'failed'),
    millisecondsToLastServer: last - began,
    millisecondsUntilKnown: untilKnown,
  };
}

/** When the last server's new key was first seen by its provider, milliseconds since 1970. */
async function lastFirstUse(internet: Internet, generations: Generations): Promise<number> {
  return until('each server uses its new key', 600, async () => {
    const { apis } = await internet.stats();
    const seen = fleet.map(({ name, api }) => apis[api]?.tokens[generations.nameOf(name)]?.firstSeen);
    return seen.every((at) => at !== undefined) ? Math.max(...seen) : undefined;
  });
}

/** Restarts of each pod, by its uid. */
async function census(): Promise<Map<string, number>> {
  return new Map((await pods(namespace)).map((pod) => [pod.metadata.uid, restarts(pod)]));
}

function restartsSince(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  const counts = [...after].map(([uid, count]) => (before.has(uid) ? count - (before.get(uid) ?? 0) : 1));
  return counts.reduce((total, count) => total + count, 0);
}
