import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** One call of the operator, as the API server's audit log has it. */
export interface Call {
  at: number;
  verb: string;
  /** Such as pods, mcpcredentials/status. */
  resource: string;
  code: number;
}

interface AuditEvent {
  stage: string;
  verb: string;
  requestReceivedTimestamp: string;
  objectRef?: { resource?: string; subresource?: string };
  responseStatus?: { code?: number };
}

/** Each call once: a watch when it begins, all else when it is answered. */
export async function readCalls(file: string, from = 0): Promise<Call[]> {
  const calls: Call[] = [];
  for await (const line of createInterface({ input: createReadStream(file, { start: from }) })) {
    if (!line.endsWith('}')) continue;
    const { stage, verb, requestReceivedTimestamp, objectRef = {}, responseStatus = {} } = JSON.parse(line) as AuditEvent;
    if ((stage === 'ResponseStarted') !== (verb === 'watch')) continue;
    const { resource = '', subresource } = objectRef;
    const at = Date.parse(requestReceivedTimestamp);
    calls.push({ at, verb, resource: subresource === undefined ? resource : `${resource}/${subresource}`, code: responseStatus.code ?? 0 });
  }
  return calls;
}

/** Where the next calls will be written. */
export function endOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

const reading = new Set(['get', 'list', 'watch']);
/** The leader's heartbeat; and tokens, of which the API server stores nothing. */
const unstored = new Set(['leases', 'serviceaccounts/token']);

export const isRead = ({ verb }: Call): boolean => reading.has(verb);
export const isWrite = (call: Call): boolean => !isRead(call) && !unstored.has(call.resource);

/** The most calls in any span of so many milliseconds. */
export function mostWithin(calls: readonly Call[], milliseconds: number): number {
  const times = calls.map(({ at }) => at).toSorted((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (const [index, at] of times.entries()) {
    while ((times[first] ?? at) <= at - milliseconds) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}
