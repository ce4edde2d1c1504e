import { table } from '../demo/report.ts';
import type { Measured } from './measure.ts';

const titles: Record<Measured['placement'], string> = {
  environment: 'environment variables, rolling restart',
  gateway: 'one gateway config (a Kubernetes Secret behind Rekey)',
  vault: 'the vault at call time (Rekey)',
};

export const titleOf = ({ placement }: Measured): string => titles[placement];

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;

/** The table of `make bench-placements`: a row a placement and kind of rotation. */
export function summary(results: readonly Measured[]): string {
  const head = ['PLACEMENT', 'OLD KEY', 'STEPS', 'RESTARTS', 'CALLS', 'FAILED', 'LAST SERVER ON NEW KEY', 'KNOWN'];
  return table(
    head,
    results.map((result) => [
      titleOf(result),
      result.kind === 'overlap' ? 'still valid' : 'revoked at once',
      result.steps,
      result.restarts,
      result.calls,
      result.failed,
      seconds(result.millisecondsToLastServer),
      seconds(result.millisecondsUntilKnown),
    ]),
  );
}
