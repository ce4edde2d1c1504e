import type { Credential, CredentialSpec } from '@rekey/crds/credential.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import { refreshAnnotation } from '@rekey/crds/names.ts';

/** What the sidecar needs of an MCPCredential: its spec, and what the operator has announced to this pod. */
export interface Resource {
  spec: CredentialSpec;
  version: string | undefined;
  /** What it is a version of (`sourceId`); undefined for the source of the spec. */
  source?: string | undefined;
  /** Whether exactly this version is read. */
  exact?: boolean | undefined;
  question?: Question | undefined;
  /** The annotation rekey.dev/refresh: another value asks for what is new. */
  asked?: string | undefined;
  /** It comes from the API server, and not from the snapshot, which has no annotations. */
  isWatched?: boolean;
}

/** The operator asks this pod to try a version that no other pod has. */
export interface Question {
  version: string;
  /** Names the rotation: another one asks again. */
  startedAt: string;
  /** Whose the last good version was, where that is known. */
  account: string | undefined;
}

/**
 * What is announced to one pod.
 *
 * | phase   | the pod is named | its version | question          |
 * |---------|------------------|-------------|-------------------|
 * | Canary  | yes              | candidate   | -                 |
 * | Probing | yes              | the fleet's | try the candidate |
 * | any     | no               | the fleet's | -                 |
 * | other   | any              | the fleet's | -                 |
 */
export function resourceOf({ metadata, spec, status = {} }: Credential, pod: string): Resource {
  const { version, source, exact, rotation, account } = status;
  const asked = metadata.annotations?.[refreshAnnotation];
  const own = { spec, version, source, exact, asked, isWatched: true };
  const { candidate, startedAt = '', phase, pods = [] } = rotation ?? {};
  if (candidate === undefined || !pods.includes(pod)) return own;
  if (phase === 'Canary') return { ...own, version: candidate };
  return phase === 'Probing' ? { ...own, question: { version: candidate, startedAt, account } } : own;
}

export function resourceOfSnapshot({ spec, version, source, exact }: Snapshot['credentials'][number]): Resource {
  return { spec, version, source, exact };
}

/**
 * The version to read; undefined for the newest. `announced` is what the operator has announced of this source.
 *
 * | spec.version | exact | announced | asked for after a refusal | read                                                             |
 * |--------------|-------|-----------|---------------------------|------------------------------------------------------------------|
 * | empty        | no    | any       | any                       | the newest                                                       |
 * | empty        | yes   | some      | no                        | exactly that: the newest may be refused, or not tried yet        |
 * | a pin        | any   | some      | no                        | exactly that: the operator has checked it, and keeps the last good one when the pin is not |
 * | a pin        | any   | none      | no                        | exactly the pin                                                  |
 * | empty        | yes   | none      | no                        | the newest                                                       |
 * | any          | any   | any       | yes                       | the newest: what is in use is refused, nothing is left to lose   |
 */
export function wantedVersion({ spec, exact }: Resource, announced: string | undefined, afterRefusal: boolean): string | undefined {
  if (afterRefusal || (spec.version === '' && exact !== true)) return undefined;
  return announced ?? (spec.version === '' ? undefined : spec.version);
}
