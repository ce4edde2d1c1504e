import { mkdir, writeFile } from 'node:fs/promises';
import { chosenSources } from '../lib/source.ts';
import { fleet } from '../servers/fleet.ts';
import { kubeconfig, kubectlPath } from '../lib/kube.ts';
import { root, say } from '../lib/run.ts';
import { bringUp, startFleet } from '../lib/stack.ts';
import { play } from './play.ts';
import { broken, serverTable, verdict } from './report.ts';

// `make demo`: the main job on a real cluster, under traffic. Exit code 1 when a call failed, a container restarted or a value leaked.
const stack = await bringUp(chosenSources());
const { report, rows, failures } = await play(stack, await startFleet(stack));
await mkdir(`${root}build`, { recursive: true });
await writeFile(`${root}build/demo.json`, `${JSON.stringify(report, undefined, 2)}\n`);
say(`\n${serverTable(rows)}\n\n${verdict(report)}\n`);
for (const failure of failures) say(`  failed: ${JSON.stringify(failure)}`);
say(
  `look around:  export KUBECONFIG=${kubeconfig}; ${kubectlPath} get mcpcred -A; ${kubectlPath} -n tools describe mcpcred ${fleet[0]?.name}`,
);
say('remove it:    make clean');
const problems = broken(report);
for (const problem of problems) say(`the promise is broken: ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
