import type { Reason } from '@rekey/lib/reason.ts';
import type { Attempt } from './attempt.ts';
import type { Checked } from './head.ts';
import type { Means } from './means.ts';
import type { Due } from '../turn.ts';
import type { Outcome } from './use.ts';
import { useOf } from './use.ts';
import type { Uses } from '../inject/uses.ts';

/** Tells of one call: one line and one count for each of its credentials. */
export class Account implements Due {
  /** It was sent once more with a newer value. */
  replayed = false;
  readonly #means: Means;
  readonly #checked: Checked;
  readonly #uses: Uses;
  readonly #began = performance.now();
  #outcome: Outcome | undefined;

  constructor(means: Means, checked: Checked, uses: Uses) {
    this.#means = means;
    this.#checked = checked;
    this.#uses = uses;
  }

  /** Once, when the answer begins: a stream may last for hours. `status` is 0 when the client went away before; `reason`: why the sidecar answered by itself. */
  tell(status: number, reason: Reason | undefined, attempt: Attempt): void {
    if (this.#outcome !== undefined) return;
    attempt.arrived();
    const { reached, waited } = attempt;
    const milliseconds = performance.now() - this.#began;
    for (const { counters } of this.#uses.parts) counters.add(status, milliseconds / 1000, waited / 1000);
    for (const { part, grant } of this.#uses.list) if (grant !== undefined) part.counters.version = grant.version;
    this.#outcome = { status, reason, milliseconds, reached, replayed: this.replayed };
    this.#means.turn.afterWrites(this);
  }

  /** The answer is out: nobody waits for its lines. */
  endTurn(): void {
    const { list, parts } = this.#uses;
    if (this.#outcome === undefined) return;
    for (const { credential } of parts) {
      const used = list.find(({ part }) => part.credential === credential);
      this.#means.audit.add(useOf(this.#checked, this.#outcome, credential.name, used?.grant));
    }
  }
}
