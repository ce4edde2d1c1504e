import { readFileSync } from 'node:fs';

// `node .ci/summary.ts RUN…`: adds up build/jest-RUN.json. A suite that could not run and a run that left no result count as one failed each.
interface Result {
  numPassedTests: number;
  numFailedTests: number;
  numRuntimeErrorTestSuites: number;
}

function resultOf(run: string): Result | undefined {
  try {
    return JSON.parse(readFileSync(new URL(`../build/jest-${run}.json`, import.meta.url), 'utf8')) as Result;
  } catch {
    return undefined;
  }
}

let passed = 0;
let failed = 0;
for (const run of process.argv.slice(2)) {
  const result = resultOf(run);
  const bad = result === undefined ? 1 : result.numFailedTests + result.numRuntimeErrorTestSuites;
  const good = result?.numPassedTests ?? 0;
  process.stdout.write(`${run}: ${result === undefined ? 'left no result' : `${good} of ${good + bad}`}\n`);
  passed += good;
  failed += bad;
}
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
