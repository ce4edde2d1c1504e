import type { IncomingMessage } from 'node:http';
import type { SecretValue } from '@rekey/lib/secret-value.ts';
import type { Checked } from './head.ts';
import { endToEnd } from './hop.ts';
import type { Found } from './inject.ts';
import { carrying, targetWith, twins } from './inject.ts';
import type { Outgoing } from './upstream.ts';

/** Methods whose requests have no body unless a field says so (RFC 9110 section 8.6). */
const bodiless = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE']);

export interface Writing {
  found: Found | undefined;
  /** Undefined when the request goes out as it came. */
  value: SecretValue | undefined;
  /** The client was told to send its body already. */
  continued: boolean;
}

/** The request as it leaves: Host and framing are ours, the fields of the connection are gone, and the value stands where the placeholder stood. */
export function outgoingOf(
  { method = 'GET', rawHeaders }: IncomingMessage,
  checked: Checked,
  { found, value, continued }: Writing,
): Outgoing {
  const { host, port } = checked.rule;
  const isTwin = twins(found);
  const dropped = (name: string): boolean => name === 'host' || (continued && name === 'expect') || isTwin(name);
  const fields = ['Host', port === 443 ? host : `${host}:${port}`, ...endToEnd(rawHeaders, dropped)];
  if (checked.chunked) fields.push('Transfer-Encoding', 'chunked');
  else if (checked.length === undefined && !bodiless.has(method)) fields.push('Content-Length', '0');
  const outgoing = { host, port, method, target: checked.target, fields };
  if (found === undefined || value === undefined) return outgoing;
  fields.push(...carrying(found, value));
  outgoing.target = targetWith(found, value, checked.target);
  return outgoing;
}
