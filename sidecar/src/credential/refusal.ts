/** What is known of a version that the upstream has refused. Times in milliseconds of the monotonic clock. */
export interface Refusal {
  firstAt: number;
  lastAt: number;
  /** Forced reads since `firstAt` that brought this very version again, and when the last of them ended. */
  reads: number;
  readAt: number;
}

/** So long after its first refusal a version may still be one whose successor is about to be written. */
const grace = 2000;
/** Forced reads of a version that stays refused are so far apart. */
const spacing = 2000;
/** Without a refusal for so long the next one is a new story. */
const forgotten = 60_000;

export type AfterRefusal = { step: 'use' | 'read' | 'stand' } | { step: 'wait'; until: number };

/**
 * What a call does whose credential was refused. Revocation and the write of the new version come in either order: a provider that
 * replaces a key in one step revokes the old one before anybody can write the new one to the vault. So for two seconds after the first
 * refusal the calls wait, and share reads 0, 250, 750 and 1750 ms after it, before a refusal stands. Later a refusal is for good (or is
 * about this one call): it stands at once, but for one shared read every two seconds, so that a late write is still found.
 *
 * | in hand         | first refused | last forced read            | the call                  |
 * |-----------------|---------------|-----------------------------|---------------------------|
 * | another version | -             | -                           | use it, no read           |
 * | nothing         | -             | -                           | read                      |
 * | the refused one | any time ago  | none                        | read                      |
 * | the refused one | < 2 s ago     | its pause is over           | read                      |
 * | the refused one | < 2 s ago     | its pause ends within grace | wait for the end          |
 * | the refused one | < 2 s ago     | its pause ends after grace  | the refusal stands        |
 * | the refused one | >= 2 s ago    | >= 2 s ago                  | read                      |
 * | the refused one | >= 2 s ago    | < 2 s ago                   | the refusal stands        |
 *
 * What is in hand changes by other ways too (the operator's push, the TTL): that ends the waiting at once.
 */
export function afterRefusal(refused: string, inHand: string | undefined, refusal: Refusal, now: number): AfterRefusal {
  if (inHand !== undefined && inHand !== refused) return { step: 'use' };
  if (inHand === undefined || refusal.reads === 0) return { step: 'read' };
  const graceEnds = refusal.firstAt + grace;
  if (now >= graceEnds) return { step: now - refusal.readAt >= spacing ? 'read' : 'stand' };
  const due = refusal.readAt + 250 * 2 ** (refusal.reads - 1);
  if (now >= due) return { step: 'read' };
  return due < graceEnds ? { step: 'wait', until: due } : { step: 'stand' };
}

/** Notes the refusal of `version`, and forgets those that are long over. */
export function refusedNow(refusals: Map<string, Refusal>, version: string, now: number): void {
  for (const [other, { lastAt }] of refusals) if (now - lastAt >= forgotten) refusals.delete(other);
  const known = refusals.get(version) ?? { firstAt: now, lastAt: now, reads: 0, readAt: now };
  known.lastAt = now;
  refusals.set(version, known);
}

/** A forced read has brought `version`: when that is a refused one, nothing new. */
export function refusedAgain(refusals: Map<string, Refusal>, version: string, now: number): void {
  const refusal = refusals.get(version);
  if (refusal === undefined) return;
  refusal.reads += 1;
  refusal.readAt = now;
}
