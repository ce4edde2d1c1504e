import type { ProbeResult } from '@rekey/crds/binding.ts';
import { oneLine } from '../decide/pods.ts';
import type { Problem } from '../decide/input.ts';

type Result = (ProbeResult & { pod: string }) | undefined;

/** The account that counts is the one that the last good version had; without one, that of the version in use. */
function isOther({ account, currentAccount }: ProbeResult, known: string | undefined): boolean {
  const before = known ?? currentAccount;
  return account !== undefined && before !== undefined && account !== before;
}

/** Whether the upstream accepted it; whose it is, is another question. */
export function accepted(result: Result): boolean {
  return result?.outcome === 'Accepted';
}

/**
 * Why the candidate goes no further.
 *
 * | outcome  | account          | reason         |
 * |----------|------------------|----------------|
 * | none     | -                | -              |
 * | Refused  | any              | ProbeRefused   |
 * | Accepted | another          | AccountChanged |
 * | Accepted | same, not known  | -              |
 */
export function refusedProbe(result: Result, known: string | undefined): Problem | undefined {
  if (result === undefined) return undefined;
  const { pod, version, outcome, message = '' } = result;
  if (outcome === 'Refused') return { reason: 'ProbeRefused', message: `pod ${pod} tried version ${version}: ${oneLine(message)}` };
  if (!isOther(result, known)) return undefined;
  return { reason: 'AccountChanged', message: `pod ${pod} tried version ${version}: it is another account's than the version in use` };
}

export function account(result: Result): string | undefined {
  return result?.outcome === 'Accepted' ? result.account : undefined;
}
