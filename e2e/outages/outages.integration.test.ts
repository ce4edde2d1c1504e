import { apiPath } from '@rekey/crds/names.ts';
import { startApiServer } from '@rekey/operator/controller/api-server.real.ts';
import type { RealApiServer } from '@rekey/operator/controller/api-server.real.ts';
import { until } from '@rekey/lib/process.real.ts';
import { startFront } from './front.real.ts';
import { startRelay } from './relay.real.ts';
import type { Watchers } from './watchers.ts';
import { createCredential, createNamespace, editCredential, seenByOperator, startWatchers } from './watchers.ts';

// What becomes of the watches of operator and sidecar when the API server, or the way to it, fails: each a real process.

let api: RealApiServer;
/** What a test has started and not stopped, the last one first. */
let running: (() => Promise<unknown>)[];

beforeAll(async () => {
  api = await startApiServer();
  await createNamespace(api);
  await createCredential(api, 'first');
}, 120_000);
afterAll(() => api.stop());

beforeEach(() => {
  running = [];
});
afterEach(async () => {
  for (const stop of running.toReversed()) await stop();
});

let seconds = 1;
/** Makes a change that the sidecar has to see, and one that the operator has to; resolves with who waits until they have, and says what they saw. */
async function change(name: string): Promise<() => Promise<string>> {
  const now = (seconds += 1);
  await Promise.all([editCredential(api, 'first', { cacheTTLSeconds: now }), createCredential(api, name)]);
  return async () => {
    await until(() => (watchers.sidecarHas() === now ? true : undefined));
    await seenByOperator(api, name);
    return name;
  };
}
const changed = async (name: string): Promise<string> => {
  const seen = await change(name);
  return seen();
};
let watchers: Watchers;

async function start(way: Parameters<typeof startWatchers>[1]): Promise<void> {
  watchers = await startWatchers(api, way);
  running.push(watchers.stop);
}

test('a network that drops the packets of every connection is noticed, and what changed meanwhile is applied', async () => {
  const relay = await startRelay(api.port);
  running.push(relay.close);
  await start({ port: relay.port, idleMilliseconds: 4000 });
  await changed('before');
  relay.silence();
  expect(await changed('missed')).toBe('missed');
  expect(await changed('after')).toBe('after');
}, 120_000);

test('410 Gone leads to one list of the collection, and nothing is missed', async () => {
  const front = await startFront(api);
  running.push(front.close);
  await start({ port: front.port, ca: front.ca });
  await changed('watched');
  const all = [...watchers.collections].sort();
  const watched = (): Promise<unknown> => until(() => (front.watches().sort().join() === all.join() ? true : undefined));
  await watched();
  const before = new Map(front.lists);
  const said = await front.expire();
  expect(said.map((text) => (JSON.parse(text) as { object: { code: number } }).object.code)).toEqual([410, 410, 410, 410]);
  await watched();
  await changed('anew');
  expect(all.map((path) => [path, (front.lists.get(path) ?? 0) - (before.get(path) ?? 0)])).toEqual(
    all.map((path) => [path, path.startsWith(apiPath) ? 1 : 0]),
  );
}, 120_000);
