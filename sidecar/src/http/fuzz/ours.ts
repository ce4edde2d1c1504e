import { throughTls } from '../../entrance.ts';
import { check } from '../../call/head.ts';
import type { Rule, Table } from '../../inject/rule.ts';
import { requestBody } from '../body-reader.ts';
import { closes } from '../control.ts';
import { findHead } from '../find-head.ts';
import { readRequestHead } from '../request-head.ts';

const table = { find: () => ({}) as Rule } as unknown as Table;

/** A request that the sidecar takes: its target, and its bytes up to where the sidecar sees its end. */
export interface Taken {
  target: string;
  bytes: Buffer;
}

/** The request that these bytes begin with, as the sidecar sees it; undefined when it refuses it, or waits for more. */
export function takenOf(bytes: Buffer): Taken | undefined {
  try {
    const found = findHead(bytes, 32_768);
    if (found === undefined) return undefined;
    const head = readRequestHead(found.text);
    check(head, throughTls('hosts', 'peer', 443), table);
    const end = requestBody(head.control, (lines) => lines)?.read(bytes, found.end) ?? found.end;
    return end < 0 || closes(head.control) ? undefined : { target: head.target, bytes: bytes.subarray(0, end) };
  } catch {
    return undefined;
  }
}
