import type { BoundPod } from '../decide/input.ts';

/** What the pods found out about one version of one source. */
export interface Verdict {
  /** Pods to which the upstream has accepted it. */
  accepted: readonly string[];
  /** Pods that carry it and to which the upstream has only refused it. */
  refused: readonly string[];
}

export interface Which {
  version: string | undefined;
  source: string | undefined;
}

const refusals: ReadonlySet<string> = new Set(['CredentialRefused', 'NewVersionRefused']);

/**
 * A pod that had the version accepted and then refused is no witness against it: somebody revoked it, and the one before is no better.
 *
 * | use.version | use.acceptedVersion | use.reason       | counts as |
 * |-------------|---------------------|------------------|-----------|
 * | any         | it                  | any              | accepted  |
 * | it          | other, none         | a refusal        | refused   |
 * | it          | other, none         | other, none      | nothing   |
 * | other, none | other, none         | any              | nothing   |
 */
export function verdictOf(pods: readonly BoundPod[], { version, source }: Which): Verdict {
  const own = pods.filter(({ use }) => version !== undefined && use?.source === source);
  const names = (holds: (pod: BoundPod) => boolean): string[] =>
    own
      .filter(holds)
      .map(({ name }) => name)
      .sort();
  const accepts = ({ use }: BoundPod): boolean => use?.acceptedVersion === version;
  return {
    accepted: names(accepts),
    refused: names((pod) => !accepts(pod) && pod.use?.version === version && refusals.has(pod.use?.reason ?? '')),
  };
}

/** Whether so many per cent of the pods that know say that it is refused. */
export function isRefused({ accepted, refused }: Verdict, threshold: number): boolean {
  return refused.length > 0 && refused.length * 100 >= threshold * (refused.length + accepted.length);
}

export function uses({ use }: BoundPod, { version, source }: Which): boolean {
  return version !== undefined && use?.version === version && use.source === source;
}
