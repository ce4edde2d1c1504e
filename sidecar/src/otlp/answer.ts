/** What came of a batch that was posted; undefined: nothing came. */
export interface Posted {
  status: number;
  /** Of the field Retry-After. */
  retryAfter: string | undefined;
  body: string;
}

/** What to do with the batch. `rejected`: so many of its records were not taken. */
export type Fate = { step: 'done'; rejected: number } | { step: 'again'; milliseconds: number } | { step: 'lost' };

const firstMilliseconds = 1000;
const mostMilliseconds = 30_000;
/** https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const passing = new Set([429, 502, 503, 504]);

/**
 * What becomes of a batch after the `attempt`th time, counted from 1.
 *
 * | answer             | Retry-After | then                                                        |
 * |--------------------|-------------|-------------------------------------------------------------|
 * | 2xx                | -           | done; what the collector says that it rejected is lost      |
 * | 429, 502, 503, 504 | given       | again, no sooner                                            |
 * | 429, 502, 503, 504 | none        | again, after a pause that doubles and is not the same for all |
 * | none               | -           | the same                                                    |
 * | any other          | any         | lost: it would be refused again                             |
 */
export function fateOf(posted: Posted | undefined, attempt: number, now: number, random: () => number): Fate {
  const pause = Math.min(mostMilliseconds, firstMilliseconds * 2 ** Math.min(attempt - 1, 10)) * (0.5 + random() / 2);
  if (posted === undefined) return { step: 'again', milliseconds: pause };
  if (posted.status >= 200 && posted.status < 300) return { step: 'done', rejected: rejectedOf(posted.body) };
  if (!passing.has(posted.status)) return { step: 'lost' };
  return { step: 'again', milliseconds: Math.max(pause, retryAfterOf(posted.retryAfter, now)) };
}

/** Seconds or a date (RFC 9110 section 10.2.3); 0 for what is neither. */
function retryAfterOf(text: string | undefined, now: number): number {
  if (text === undefined) return 0;
  if (/^\d{1,6}$/u.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

/** `partialSuccess.rejectedLogRecords`: a number or, as 64-bit numbers are in protobuf's JSON, a string. */
function rejectedOf(body: string): number {
  try {
    const { partialSuccess } = JSON.parse(body) as { partialSuccess?: { rejectedLogRecords?: unknown } };
    const rejected = Number(partialSuccess?.rejectedLogRecords ?? 0);
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0;
  } catch {
    return 0; // an empty body says that all is well
  }
}
