import type { Server } from '../servers/fleet.ts';
import type { Driver } from '../lib/driver.ts';
import { fleet } from '../servers/fleet.ts';
import { condition, credential, patch, propagated } from '../lib/credential.ts';
import type { Rotation } from '../lib/keys.ts';
import type { Stack } from '../lib/stack.ts';
import { until } from '../lib/run.ts';
import type { RotationResult } from './report.ts';

/** Rotates every credential at once, and waits until every pod uses the new one. */
export async function rotateAll({ keys, internet, sources }: Stack, kind: 'overlap' | 'revoked at once'): Promise<RotationResult[]> {
  const rotations = await Promise.all(fleet.map((server) => keys.rotate(server, { revoke: kind === 'revoked at once' })));
  const ends = await Promise.all(
    rotations.map(async ({ server, version }) => {
      const newest = await version();
      return { version: newest, end: await propagated(server.name, newest) };
    }),
  );
  const firstUses = await Promise.all(rotations.map((rotation) => firstUse(internet, rotation)));
  return rotations.map(({ server, at }, index) => ({
    kind,
    credential: server.name,
    source: sources.of(server).name,
    version: ends[index]?.version ?? '',
    millisecondsToAll: (ends[index]?.end ?? Infinity) - at,
    millisecondsToFirstUse: Math.max(0, (firstUses[index] ?? Infinity) - at),
  }));
}

async function firstUse(internet: Stack['internet'], { server, key }: Rotation): Promise<number> {
  return until(`the first use of ${key}`, 60, async () => {
    const use = (await internet.stats()).apis[server.api]?.tokens[key];
    return use !== undefined && use.accepted > 0 ? use.firstSeen : undefined;
  });
}

/** Pins one credential to the version before the newest, whose key the provider accepts again, and lets it go on afterwards. */
export async function rollBack(server: Server, { keys, sources }: Stack): Promise<RotationResult> {
  const source = sources.of(server);
  const newest = (await keys.versions(server)).at(-1) ?? '';
  const version = await keys.reinstate(server);
  const at = Date.now();
  await patch(server.name, { version: source.previous ?? version });
  const end = await propagated(server.name, version);
  await patch(server.name, { version: '' });
  await propagated(server.name, newest);
  return { kind: 'rollback', credential: server.name, source: source.name, version, millisecondsToAll: end - at };
}

/** Suspends one credential until its calls were refused on purpose, and resumes it. */
export async function suspendAndResume(server: Server, driver: Driver): Promise<void> {
  const refused = async (): Promise<number> => (await driver.stats()).servers[server.name]?.refusedOnPurpose ?? 0;
  const calls = async (): Promise<number> => (await driver.stats()).servers[server.name]?.calls ?? 0;
  await driver.excuse(server.name, true);
  await patch(server.name, { suspend: true });
  await until(`${server.name} says Suspended`, 30, async () =>
    condition(await credential(server.name), 'Ready')?.reason === 'Suspended' ? true : undefined,
  );
  const before = await refused();
  await until(`${server.name} refuses calls`, 30, async () => ((await refused()) > before + 5 ? true : undefined));
  await patch(server.name, { suspend: false });
  await until(`${server.name} works again`, 60, async () =>
    condition(await credential(server.name), 'Ready')?.status === 'True' ? true : undefined,
  );
  const after = await refused();
  const callsThen = await calls();
  await until(`${server.name} is called again`, 30, async () => ((await calls()) > callsThen + 5 ? true : undefined));
  if ((await refused()) > after + 1) throw new Error(`${server.name} still refuses calls after it was resumed`);
  await driver.excuse(server.name, false);
}
