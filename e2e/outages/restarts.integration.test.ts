import { apiPath } from '@rekey/crds/names.ts';
import { startApiServer } from '@rekey/operator/controller/api-server.real.ts';
import type { RealApiServer } from '@rekey/operator/controller/api-server.real.ts';
import { until } from '@rekey/lib/process.real.ts';
import { startRelay } from './relay.real.ts';
import type { Relay } from './relay.real.ts';
import type { Watchers } from './watchers.ts';
import { createCredential, createNamespace, editCredential, seenByOperator, startWatchers } from './watchers.ts';

let api: RealApiServer;
let relay: Relay;
let watchers: Watchers;

beforeAll(async () => {
  api = await startApiServer();
  await createNamespace(api);
  await createCredential(api, 'first');
  relay = await startRelay(api.port);
  watchers = await startWatchers(api, { port: relay.port });
}, 120_000);

afterAll(async () => {
  await watchers.stop();
  await relay.close();
  await api.stop();
});

/** The watches of our kinds that the API server has open; nobody else watches those. */
async function openWatches(): Promise<number> {
  const { status, body } = await api.admin.get('/metrics', AbortSignal.timeout(30_000));
  expect(status).toBe(200);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of body) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  const lines = text.split('\n').filter((line) => /^apiserver_longrunning_requests\{.*group="rekey\.dev".*verb="WATCH"/u.test(line));
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test('an API server that is started anew twenty times in a row leaves no watch behind, and no key is missed', async () => {
  const ours = watchers.collections.filter((path) => path.startsWith(apiPath)).length;
  await until(async () => ((await openWatches()) === ours ? true : undefined));
  const names = Array.from({ length: 20 }, (_none, round) => `made-after-restart-${round + 1}`);
  for (const [round, name] of names.entries()) {
    await api.restart('SIGKILL');
    await until(() => createCredential(api, name));
    await until(() => editCredential(api, 'first', { cacheTTLSeconds: round + 1 }));
  }
  await Promise.all(names.map((name) => seenByOperator(api, name)));
  await until(() => (watchers.sidecarHas() === names.length ? true : undefined));
  await until(async () => ((await openWatches()) >= ours ? true : undefined));
  expect(await openWatches()).toBe(ours);
  // A connection for each watch; besides, those kept for the next calls: two by the sidecar, and one for each of the operator's four at once.
  await until(() => (relay.open() <= watchers.collections.length + 6 ? true : undefined));
}, 400_000);
