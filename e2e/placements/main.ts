import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Driver } from '../lib/driver.ts';
import { apply, kubectl } from '../lib/kube.ts';
import { home, root, say, step } from '../lib/run.ts';
import { bringUp, deployed, namespace, ready, startClient } from '../lib/stack.ts';
import type { Stack } from '../lib/stack.ts';
import { fleet } from '../servers/fleet.ts';
import { rate } from '../demo/play.ts';
import { Generations, kinds, measure } from './measure.ts';
import type { Measured } from './measure.ts';
import { picture } from './picture.ts';
import { atCallTime, environment, gateway } from './placement.ts';
import type { Placement } from './placement.ts';
import { summary } from './report.ts';

// `make bench-placements`: the eleven servers rotated under traffic with their keys at three places. Writes build/placements.json and the picture.
const stack = await bringUp(['vault']);
const publicCa = await readFile(join(home, 'run/internet/ca.pem'), 'utf8');
const results: Measured[] = [];
for (const placement of [environment(publicCa), gateway, atCallTime(stack.vault)]) {
  for (const kind of kinds) results.push(await step(`${placement.title}, ${kind}`, () => round(placement, kind, stack)));
}
await mkdir(join(root, 'build'), { recursive: true });
await writeFile(join(root, 'build/placements.json'), `${JSON.stringify(results, undefined, 2)}\n`);
await writeFile(join(root, 'docs/placements.svg'), picture(results));
say(`\n${summary(results)}\n`);

/** From nothing: a fleet of its own, so that no round meets what another one left. */
async function round(placement: Placement, kind: (typeof kinds)[number], { internet }: Stack): Promise<Measured> {
  await namespace('tools');
  await namespace('demo');
  await kubectl('-n', 'demo', 'delete', 'pods', '--all', '--wait', '--grace-period=1');
  await kubectl('-n', 'tools', 'delete', 'deployments,mcpcredentials', '--all', '--wait', '--cascade=foreground');
  await internet.reset(true);
  const generations = new Generations(internet);
  await placement.rotate(await generations.issue(), true);
  await apply(await deployed(fleet.flatMap((server) => placement.objects(server))));
  await ready('tools', fleet.length, 300);
  await startClient();
  return measure(placement, kind, { driver: await Driver.connect(), internet, generations, rate });
}
