import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Reading } from './source.ts';

/** A source whose state a test sets, and that counts how often it is read. */
export interface FakeSource {
  /** The newest version, or the Reason why there is none. */
  newest: string;
  reads: number;
  /** While held, reads wait for `release`. */
  hold(): void;
  release(): void;
  read(version: string | undefined, signal: AbortSignal): Promise<Reading>;
}

export function fakeSource(newest: string): FakeSource {
  let gate: PromiseWithResolvers<void> | undefined;
  return {
    newest,
    reads: 0,
    hold() {
      gate = Promise.withResolvers();
    },
    release() {
      gate?.resolve();
      gate = undefined;
    },
    async read(version, signal) {
      this.reads += 1;
      // The source answers as it was when it was asked, however long the answer takes.
      const answer = /^\d/u.test(this.newest) ? (version ?? this.newest) : this.newest;
      const aborted = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Failure('SourceUnreachable')), { once: true });
      });
      await Promise.race([gate?.promise, aborted]);
      if (!/^\d/u.test(answer)) throw new Failure(answer as Reason);
      return { value: new SecretValue(`value-${answer}`), version: answer };
    },
  };
}
