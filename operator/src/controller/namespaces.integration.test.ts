import type { Credential } from '@rekey/crds/credential.ts';
import { apiPath, apiVersion } from '@rekey/crds/names.ts';
import { goodSpec } from '@rekey/crds/rules.table.ts';
import { storeSpec } from '@rekey/crds/store.ts';
import { Registry } from 'prom-client';
import { until } from '@rekey/lib/process.real.ts';
import { storeAt } from '../poll/vault.fake.ts';
import { startController } from './start.ts';
import type { Controller } from './start.ts';
import { inTools, startWorld } from './world.real.ts';
import type { World } from './world.real.ts';

const patience = 60_000;
let world: World;
let controller: Controller;
const logged: string[] = [];

beforeAll(async () => {
  world = await startWorld(['tools']);
  const { address, caBundle } = world.vault;
  const names = { namespace: 'rekey', pod: 'rekey-operator-1', serviceAccount: 'rekey-operator', sidecarClusterRole: 'rekey-sidecar' };
  const defaultStore = storeSpec.parse({ ...storeAt(address, caBundle).spec, pollIntervalSeconds: 1 });
  controller = startController({
    kubernetes: world.operator,
    config: { ...names, namespaces: ['tools'], defaultStore },
    log: (level, message, fields) => level !== 'info' && logged.push(`${message} ${JSON.stringify(fields ?? {})}`),
    signal: new AbortController().signal,
    registry: new Registry(),
  });
}, 180_000);

afterAll(async () => {
  controller.stop();
  await world.stop();
}, patience);

test(
  'an operator for one namespace does its work with the rights that the chart gives it there, and leaves others alone',
  async () => {
    const tools = inTools(world);
    const elsewhere = `${apiPath}/namespaces/default/mcpcredentials`;
    await world.admin.create(elsewhere, { apiVersion, kind: 'MCPCredential', metadata: { name: 'github' }, spec: goodSpec });
    await tools.write('github');
    await tools.createCredential('github');
    await tools.createPod('a', 'github');
    await until(() => tools.report('a', { name: 'github', version: '1' }));
    await tools.says('github', 'Propagated', 'True AllPodsCurrent');
    await until(async () => ((await tools.credential('github')).status?.pods?.current === 1 ? true : undefined));
    expect((await world.admin.read<Credential>(`${elsewhere}/github`))?.status).toEqual({ observedGeneration: -1 });
    expect(controller.state.credentials('default')).toEqual([]);
    expect(logged).toEqual([]);
  },
  patience,
);
