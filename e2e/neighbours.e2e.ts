import { apply, kubectl, kubectlPath, kubeconfig, refusal } from './lib/kube.ts';
import type { Change, Place } from './lib/neighbour.ts';
import { neighbourLabel, places, startNeighbour, stopNeighbour } from './lib/neighbour.ts';
import { run, until } from './lib/run.ts';
import { caller, githubCredential, probePod, sandbox } from './lib/sandbox.ts';
import { canary, newSecret } from './lib/secret.ts';
import { connect } from './lib/stack.ts';
import { containerSecurity } from './servers/objects.ts';
import { ensureImages } from './lib/images.ts';

// docs/interoperation.md says what is seen here.

const space = 'e2e-neighbours';
let image = '';

beforeAll(async () => {
  const stack = await connect();
  image = (await ensureImages(['servers'])).servers;
  await stopNeighbour();
  await sandbox(space);
  const value = newSecret();
  await stack.internet.issue('github', `${canary}/neighbours`, value);
  await stack.vault.write(`mcp/${space}-probe`, { token: value });
  await apply([githubCredential(space, 'probe')]);
  await until('the webhook knows the credential', 30, async () =>
    (await refusal(await probePod(space, 'probe'))) === '' ? true : undefined,
  );
  await startNeighbour(space);
  // A pod that is ready is not reached at once: the Service's rules follow, and the API server hears of the configurations.
  for (const place of Object.keys(places) as Place[]) {
    await until(`the neighbour is called ${place}`, 30, async () =>
      (await admitted(place, 'add').catch(() => undefined))?.containers.some(({ name }) => name === 'agent') === true ? true : undefined,
    );
  }
}, 240_000);

afterAll(async () => {
  await stopNeighbour();
  await kubectl('delete', 'namespace', space, '--wait=false');
});

interface Container {
  name: string;
  restartPolicy?: string;
  env?: { name: string; value?: string }[];
  volumeMounts?: { name: string }[];
}
interface PodObject {
  spec: { initContainers: Container[]; containers: Container[] };
}

/** A pod with an init container of its own, in whose way the neighbour stands. */
function podBefore(place: Place, change: Change): Promise<object> {
  const migrate = { name: 'migrate', image, imagePullPolicy: 'IfNotPresent', command: ['true'], securityContext: containerSecurity };
  return probePod(space, `${place}-${change}`, {
    labels: { app: 'probe', ...neighbourLabel(place, change) },
    spec: { initContainers: [migrate] },
  });
}

async function admitted(place: Place, change: Change): Promise<PodObject['spec']> {
  const pod = await podBefore(place, change);
  const created = await run(kubectlPath, ['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
    env: { KUBECONFIG: kubeconfig },
    input: JSON.stringify(pod),
  });
  return (JSON.parse(created) as PodObject).spec;
}

const namesOf = (list: readonly Container[]): string => list.map(({ name }) => name).join(' ');

describe('another mutating webhook', () => {
  test.each([
    ['before', 'sort', 'rekey migrate', 'server'],
    ['before', 'strip', 'rekey migrate', 'server'],
    ['before', 'add', 'rekey migrate', 'server agent'],
    ['after', 'sort', 'rekey migrate', 'server'],
    ['after', 'strip', 'rekey migrate', 'server'],
    ['after', 'add', 'rekey migrate', 'server agent'],
    // It has the last word, and an init container before the sidecar; the server still starts after it.
    ['again', 'sort', 'migrate rekey', 'server'],
    ['again', 'add', 'rekey migrate', 'server agent'],
  ] as const)(
    'called %s, with %s: the pod is whole, with the init containers %s and the containers %s',
    async (place, change, inits, names) => {
      const { initContainers, containers } = await admitted(place, change);
      expect([namesOf(initContainers), namesOf(containers)]).toEqual([inits, names]);
      const { sidecar = [], others = [] } = Object.groupBy([...initContainers, ...containers], ({ name }) =>
        name === 'rekey' ? 'sidecar' : 'others',
      );
      expect(sidecar).toMatchObject([{ restartPolicy: 'Always' }]);
      for (const { env, volumeMounts } of others) {
        expect(env).toContainEqual({ name: 'GITHUB_TOKEN', value: 'rekey-placeholder-probe' });
        expect(volumeMounts?.map(({ name }) => name)).toContain('rekey-trust');
      }
    },
    60_000,
  );

  // The API server looks at the probes of the sidecar before any policy is asked, so these are its words and not ours.
  test('called again, with strip: the pod is refused, not started without its sidecar', async () => {
    const message = await refusal(await podBefore('again', 'strip'));
    expect(message).toContain('startupProbe: Forbidden: may not be set for init containers without restartPolicy=Always');
  }, 60_000);
});

test('pods that another webhook has changed, before ours and after it, start and call', async () => {
  const through = [
    ['before', 'sort'],
    ['after', 'strip'],
    ['after', 'add'],
    ['again', 'sort'],
  ] as const;
  await apply(await Promise.all(through.map(([place, change]) => podBefore(place, change))));
  for (const [place, change] of through) {
    const call = await caller(space, `${place}-${change}`);
    expect(await until(`${place}-${change} calls`, 60, async () => ((await call()).status === 200 ? true : undefined))).toBe(true);
  }
}, 300_000);
