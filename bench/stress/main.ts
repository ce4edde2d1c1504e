import { folder, reenter } from '../namespace.ts';
import { ofACrowd } from './limits.ts';
import { overRotations } from './rotation.ts';
import { startStage } from './stage.ts';
import type { Stage } from './stage.ts';
import { ofAGigabyte } from './volume.ts';

// `node bench/stress/main.ts CASE`: one case against the shipped sidecar, in a network of its own. Its last line is what was seen, as JSON.
if (folder === undefined) process.exit(await reenter());

type Case = (stage: Stage) => Promise<object>;
const cases: Readonly<Record<string, Case>> = { rotation: overRotations, volume: ofAGigabyte, limits: ofACrowd };
const [name = ''] = process.argv.slice(2);
const run = cases[name];
if (run === undefined) throw new Error(`there is no case ${name}: choose from ${Object.keys(cases).join(', ')}`);
const seen = await run(await startStage(folder, { scrubResponses: name === 'limits' }));
process.stdout.write(`${JSON.stringify(seen)}\n`, () => process.exit(0));
