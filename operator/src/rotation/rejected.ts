import { createHash } from 'node:crypto';
import type { Credential, RejectedEntry } from '@rekey/crds/credential.ts';
import { refreshAnnotation } from '@rekey/crds/names.ts';

/**
 * Whether a version that was refused stays so: what has been tried is not tried again by itself.
 *
 * | the spec was edited since | rekey.dev/refresh is another since | it is of this source | stays |
 * |---------------------------|------------------------------------|----------------------|-------|
 * | no                        | no                                 | yes                  | yes   |
 * | yes                       | any                                | any                  | no    |
 * | any                       | yes                                | any                  | no    |
 * | any                       | any                                | no                   | no    |
 */
export function stillRejected(credential: Credential, source: string | undefined): RejectedEntry[] {
  const { generation = 0 } = credential.metadata;
  const asked = askedOf(credential);
  return (credential.status?.rejected ?? []).filter(
    (entry) => entry.generation === generation && entry.asked === asked && entry.source === source,
  );
}

/** What is remembered beside a refusal, so that a later edit or request is seen. */
export function circumstances(credential: Credential): Pick<RejectedEntry, 'generation' | 'asked'> {
  const asked = askedOf(credential);
  return { generation: credential.metadata.generation ?? 0, ...(asked === undefined ? {} : { asked }) };
}

/** 12 hex digits for whatever text the annotation has; undefined without one. */
function askedOf({ metadata }: Credential): string | undefined {
  const text = metadata.annotations?.[refreshAnnotation];
  return text === undefined ? undefined : createHash('sha256').update(text).digest('hex').slice(0, 12);
}
