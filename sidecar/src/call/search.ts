import { Failure } from '@rekey/lib/reason.ts';
import type { RequestBody } from './body.ts';
import type { RequestHead } from '../http/request-head.ts';
import { mended, mostRead, objectionTo } from '../json/field.ts';
import type { Uses } from '../inject/uses.ts';

/** Looks into the body of a request, which is read whole before any of it is sent, and writes the values into it. */
export class Search {
  readonly #uses: Uses;
  readonly #upload: RequestBody;

  constructor(uses: Uses, upload: RequestBody) {
    this.#uses = uses;
    this.#upload = upload;
  }

  /** Reads it; `done` with what is wrong with it, or with undefined once `uses` has what it holds. */
  begin({ fields, control }: RequestHead, done: (problem: unknown) => void): void {
    const objection = objectionTo(fields, control.length);
    if (objection !== undefined) return done(objection);
    this.#upload.gather(mostRead, (whole) => {
      if (whole instanceof Failure) return done(whole);
      try {
        this.#uses.search(whole);
      } catch (error) {
        return done(error);
      }
      done(undefined);
    });
  }

  /** Puts the values that the call carries now into the body. Its length then, or undefined when no body was read. */
  mend(): number | undefined {
    const { whole } = this.#upload;
    if (whole === undefined) return undefined;
    const writings = this.#uses.list.flatMap(({ found, grant }) =>
      grant === undefined ? [] : found.json.map((edit) => ({ edit, value: grant.value })),
    );
    const pieces = mended(whole, writings);
    this.#upload.replace(pieces);
    return pieces.reduce((sum, { length }) => sum + length, 0);
  }
}
