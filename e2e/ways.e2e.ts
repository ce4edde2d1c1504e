import { rotateAll } from './demo/acts.ts';
import { rate } from './demo/play.ts';
import { sum } from './lib/driver.ts';
import { connect, startFleet } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';
import { until } from './lib/run.ts';
import { fleet } from './servers/fleet.ts';
import type { Server } from './servers/fleet.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await connect(['vault']);
});

/** What the documentation says of each server: `docs/ways-in.md`. */
const rounds: Record<string, { via: (server: Server) => object[]; serves: (server: Server) => boolean }> = {
  proxy: { via: () => [{ proxy: { others: 'Refuse' } }], serves: () => true },
  'base URL': {
    via: ({ baseUrl }) => [baseUrl === undefined ? { hosts: {} } : { baseUrl: { env: [baseUrl] } }],
    serves: ({ baseUrl }) => baseUrl !== undefined,
  },
};

test.each(Object.entries(rounds))(
  '%s: each server that it can serve is called and rotated, the old key revoked at once, and no call fails',
  async (_name, { via, serves }) => {
    const driver = await startFleet(stack, via);
    await driver.start(rate);
    await until('every server was called', 60, async () =>
      Object.values((await driver.stats()).servers).every(({ calls }) => calls > 5) ? true : undefined,
    );
    const rotations = await rotateAll(stack, 'revoked at once');
    const stats = await driver.stop();
    const served = fleet.filter(serves).map(({ name }) => name);
    expect(Object.values(stats.servers).flatMap(({ failures }) => failures)).toEqual([]);
    expect(sum(stats, 'failed')).toBe(0);
    expect(served.filter((name) => (stats.servers[name]?.calls ?? 0) > 5)).toEqual(served);
    expect(rotations.filter(({ credential }) => served.includes(credential))).toHaveLength(served.length);
    const { misplaced } = await stack.internet.stats();
    expect(misplaced).toEqual([]);
  },
  300_000,
);
