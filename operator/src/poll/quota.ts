import type { CredentialSource } from '@rekey/crds/credential.ts';
import type { Store } from '@rekey/crds/store.ts';

/** What many polls draw on together. */
export interface Quota {
  /** The same for all that share it, whatever store they go through. */
  name: string;
  /** Questions a minute that we allow ourselves. */
  questionsPerMinute: number;
}

/**
 * GCP counts the reads of metadata of a project: 600 a minute for everybody (https://cloud.google.com/secret-manager/quotas). The
 * operator takes half of them at most, and one question is two reads: the versions, and the secret for its aliases.
 *
 * A vault has no quota unless somebody gives it one, which it then answers with 429. It serves the calls of others too, so that the
 * operator asks 50 times a second at most: 250 secrets are looked at every 5 s, a thousand every 20 s.
 */
export function quotaOf({ spec }: Store, source: CredentialSource | undefined): Quota | undefined {
  if (source === undefined) return undefined;
  if (spec.vault !== undefined) return { name: spec.vault.address, questionsPerMinute: 3000 };
  const project = source.gcpSecretManager?.project ?? spec.gcpSecretManager?.project;
  if (spec.gcpSecretManager === undefined || project === undefined) return undefined;
  return { name: `projects/${project}`, questionsPerMinute: 150 };
}

const minute = 60_000;
/**
 * An operator that starts asks about everything: one after the other, so that no question waits for a connection until its time is over.
 * In milliseconds, and never slower than the quota.
 */
const spacing = ({ questionsPerMinute }: Quota): number => Math.min(100, minute / questionsPerMinute);

/** How each quota is doing: `RESOURCE_EXHAUSTED` slows all that share it, and success speeds them up again. */
export class Quotas {
  readonly #slowness = new Map<string, number>();
  /** When the last questions were asked, or are going to be. */
  readonly #asked = new Map<string, number[]>();

  /** 1, 2, 4 or 8. */
  slowness({ name }: Quota): number {
    return this.#slowness.get(name) ?? 1;
  }

  answered({ name }: Quota, throttled: boolean): void {
    const before = this.#slowness.get(name) ?? 1;
    this.#slowness.set(name, throttled ? Math.min(8, before * 2) : Math.max(1, before / 2));
  }

  /** Takes room for one question, and says how many milliseconds from now there is some: no minute has more questions than are allowed. */
  take(quota: Quota, now: number): number {
    const asked = this.#asked.get(quota.name) ?? [];
    const most = Math.floor(quota.questionsPerMinute / this.slowness(quota));
    const first = asked.at(-most) ?? Number.NEGATIVE_INFINITY;
    const last = asked.at(-1) ?? Number.NEGATIVE_INFINITY;
    const at = Math.max(now, first + minute, last + spacing(quota));
    asked.push(at);
    if (asked.length > quota.questionsPerMinute) asked.shift();
    this.#asked.set(quota.name, asked);
    return at - now;
  }
}
