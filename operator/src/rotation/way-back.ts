import type { RotationInput } from './facts.ts';
import type { Outcome } from './outcome.ts';
import { verdictOf } from './verdict.ts';

/**
 * Whether the version before may be taken up again: only where it is known to be better. An upstream that refuses all that a pod asks it for
 * says nothing against a version; and once it has accepted one, a refusal is a revocation.
 *
 * | spec.version | version before | of this source, to be read | a pod had it accepted last | phase      | this one accepted ever | way back |
 * |--------------|----------------|----------------------------|----------------------------|------------|------------------------|----------|
 * | a pin        | any            | any                        | any                        | any        | any                    | no       |
 * | ''           | none           | -                          | -                          | any        | any                    | no       |
 * | ''           | some           | no                         | any                        | any        | any                    | no       |
 * | ''           | some           | yes                        | no                         | any        | any                    | no       |
 * | ''           | some           | yes                        | yes                        | RollingOut | any                    | yes      |
 * | ''           | some           | yes                        | yes                        | Complete   | no                     | yes      |
 * | ''           | some           | yes                        | yes                        | Complete   | yes                    | no       |
 */
export function isWayBack(at: Outcome, input: RotationInput): boolean {
  const { rotation } = at;
  const isDecided = input.credential.spec.version !== '' || (rotation?.phase === 'Complete' && rotation.acceptedAt !== undefined);
  return !isDecided && input.exact && isBetter(at, input);
}

function isBetter({ version, previousVersion, previousSource, source }: Outcome, { pods, versions }: RotationInput): boolean {
  if (previousVersion === undefined || previousVersion === version || previousSource !== undefined) return false;
  return versions?.states[previousVersion] === 'Live' && verdictOf(pods, { version: previousVersion, source }).accepted.length > 0;
}
