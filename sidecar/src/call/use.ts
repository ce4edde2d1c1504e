import type { Reason } from '@rekey/lib/reason.ts';
import type { Use } from '../report/audit.ts';
import type { Grant } from '../credential/credential.ts';
import type { Checked } from './head.ts';
import { fieldOf } from '../http/fields.ts';
import { toolOf } from './tool.ts';

/** How a call went. */
export interface Outcome {
  status: number;
  reason: Reason | undefined;
  milliseconds: number;
  /** A request has gone to a verified upstream. */
  reached: boolean;
  replayed: boolean;
}

/** The audit's line of a call with a credential; without a grant it carried none. */
export function useOf({ head, host, target }: Checked, outcome: Outcome, credential: string, grant: Grant | undefined): Use {
  const { status, reason, milliseconds, reached, replayed } = outcome;
  return {
    credential,
    version: grant?.version,
    host,
    method: head.method,
    target,
    status,
    latencyMilliseconds: Math.round(milliseconds * 10) / 10,
    cache: grant?.cache ?? 'none',
    injected: grant !== undefined && reached,
    replayed,
    reason,
    traceparent: fieldOf(head.fields, 'traceparent'),
    tool: toolOf(fieldOf(head.fields, 'baggage')),
  };
}

/** The audit's line of a request that no rule is for. */
export function useOfNobody(host: string, method: string, target: string, { status, reason }: Pick<Outcome, 'status' | 'reason'>): Use {
  return {
    credential: undefined,
    version: undefined,
    host,
    method,
    target,
    status,
    latencyMilliseconds: 0,
    cache: 'none',
    injected: false,
    replayed: false,
    reason,
    traceparent: undefined,
  };
}
