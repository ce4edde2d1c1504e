/** The only fields that a log line may carry. No headers, URLs with a query, whole objects or causes: they can hold a value. */
export interface LogFields {
  namespace?: string;
  name?: string;
  credential?: string;
  store?: string;
  pod?: string;
  host?: string;
  version?: string;
  reason?: string;
  code?: string;
  status?: number;
  step?: string;
  path?: string;
  port?: number;
  attempt?: number;
  milliseconds?: number;
  count?: number;
}

export type Level = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: Level, message: string, fields?: LogFields) => void;

const allowed: readonly (keyof LogFields)[] = [
  'namespace',
  'name',
  'credential',
  'store',
  'pod',
  'host',
  'version',
  'reason',
  'code',
  'status',
  'step',
  'path',
  'port',
  'attempt',
  'milliseconds',
  'count',
];
const ranks: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that writes one JSON line a message: `time`, `level`, `message` and the allowed fields, everything else dropped. */
export function jsonLog(write: (line: string) => void, least: Level = 'info', now: () => Date = () => new Date()): Log {
  return (level, message, fields = {}) => {
    if (ranks[level] < ranks[least]) return;
    const line: Record<string, unknown> = { time: now().toISOString(), level, message };
    for (const field of allowed) if (fields[field] !== undefined) line[field] = fields[field];
    write(`${JSON.stringify(line)}\n`);
  };
}

/** What may be logged of an error that is not ours: its code (ECONNREFUSED) or its class, never its message. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'Unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'Unknown';
}
