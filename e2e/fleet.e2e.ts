import { broken } from './demo/report.ts';
import type { Played } from './demo/play.ts';
import { play, rate } from './demo/play.ts';
import type { Driver } from './lib/driver.ts';
import { propagated } from './lib/credential.ts';
import { kubectl, pods } from './lib/kube.ts';
import { run, until } from './lib/run.ts';
import { fleet } from './servers/fleet.ts';
import { sourceNames } from './lib/source.ts';
import { connect, startFleet } from './lib/stack.ts';
import type { Stack } from './lib/stack.ts';

let stack: Stack;
let driver: Driver;
let played: Played;

beforeAll(async () => {
  stack = await connect(sourceNames);
  driver = await startFleet(stack);
  played = await play(stack, driver);
}, 600_000);

describe('eleven unmodified MCP servers, rotated under traffic', () => {
  test('no call failed, no container restarted, no value leaked', () => {
    expect(played.failures).toEqual([]);
    expect(broken(played.report)).toEqual([]);
  });

  test('every credential was rotated twice, with the old key valid and with it revoked at once, and one of each source with versions was rolled back', () => {
    const kinds = played.report.rotations.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'overlap')).toHaveLength(fleet.length);
    expect(kinds.filter((kind) => kind === 'revoked at once')).toHaveLength(fleet.length);
    expect(kinds.filter((kind) => kind === 'rollback')).toHaveLength(stack.sources.all.filter(({ versioned }) => versioned).length);
  });

  test('there were at least 50 calls a second, and the search for leaks looked at hundreds of megabytes', () => {
    expect(played.report.callsPerSecond).toBeGreaterThanOrEqual(50);
    expect(played.report.searchedMegabytes).toBeGreaterThan(200);
  });

  test('the upstreams saw no value at another place or for another API', async () => {
    const { misplaced, apis } = await stack.internet.stats();
    expect(misplaced).toEqual([]);
    expect(Object.keys(apis).sort()).toEqual(['brave', 'github', 'gitlab', 'maps', 'notion', 'slack']);
  });

  test('every use is one audit line: as many as the upstreams counted', async () => {
    const { apis } = await stack.internet.stats();
    const uses = Object.values(apis)
      .flatMap(({ tokens }) => Object.entries(tokens))
      .filter(([name]) => name.includes('/'));
    const seen = uses.reduce((total, [, { accepted, refused }]) => total + accepted + refused, 0);
    const lines = await auditLines();
    // A replayed call carried a value twice: once refused, once accepted.
    const carried = lines.filter((line) => line.injected).reduce((total, line) => total + (line.replayed ? 2 : 1), 0);
    expect(seen).toBeGreaterThan(1000);
    expect(carried).toBe(seen);
  }, 60_000);
});

interface AuditLine {
  type?: string;
  injected?: boolean;
  replayed?: boolean;
}

async function auditLines(): Promise<AuditLine[]> {
  const logs = await Promise.all((await pods('tools')).map(({ metadata }) => kubectl('-n', 'tools', 'logs', metadata.name, '-c', 'rekey')));
  return logs
    .flatMap((log) =>
      log
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as AuditLine),
    )
    .filter(({ type }) => type === 'use');
}

test('API server and operator away for two minutes under traffic: no call fails, and a rotation done meanwhile arrives', async () => {
  const [first, notion] = stack.sources.servers('vault');
  if (first === undefined || notion === undefined) throw new Error('too few servers read from the vault');
  await driver.start(rate);
  await kubectl('-n', 'rekey-system', 'scale', 'deployment/rekey-operator', '--replicas=0');
  await until('the operator has ended', 60, async () => ((await pods('rekey-system')).length === 0 ? true : undefined));
  const began = Date.now();
  await run('e2e/cluster/component', ['stop', 'apiserver']);
  const rotations = [];
  try {
    rotations.push(await stack.keys.rotate(first, { revoke: true }), await stack.keys.rotate(notion, { revoke: false }));
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, began + 120_000 - Date.now())));
    const { apis } = await stack.internet.stats();
    for (const { server, key } of rotations)
      expect(apis[server.api]?.tokens[key]).toMatchObject({ refused: 0, accepted: expect.any(Number) });
  } finally {
    await run('e2e/cluster/component', ['start', 'apiserver']);
    await until('the API server', 60, () => kubectl('get', '--raw', '/readyz'));
    // Each waits up to half a minute before it asks an API server again that was away. So does the kubelet, but a kubelet that starts
    // anew takes its pods for unready for a moment, and their services refuse calls.
    for (const name of ['controller-manager', 'scheduler']) await run('e2e/cluster/component', ['restart', name]);
    await kubectl('-n', 'rekey-system', 'scale', 'deployment/rekey-operator', '--replicas=2');
  }
  for (const { server, version } of rotations) await propagated(server.name, await version());
  const stats = await driver.stop();
  expect(Object.values(stats.servers).flatMap(({ failures }) => failures)).toEqual([]);
  expect(Object.values(stats.servers).every(({ calls, failed }) => calls > 100 && failed === 0)).toBe(true);
}, 400_000);
