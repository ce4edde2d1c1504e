import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import { findCondition } from '../status.ts';
import type { State } from './state.ts';

export interface Metrics {
  rotated: (milliseconds: number) => void;
  rolledBack: (reason: string) => void;
  polled: (store: string, outcome: string) => void;
  failed: (code: string) => void;
}

/** Labels are words of closed lists and names of stores, never of credentials, hosts or paths: the number of series stays small. */
export function controllerMetrics(registers: Registry[], state: State): Metrics {
  const credentials = new Gauge({
    name: 'rekey_credentials',
    help: 'MCPCredentials by their Available condition.',
    labelNames: ['available', 'reason'],
    registers,
    collect: () => {
      credentials.reset();
      for (const { status } of state.credentials.all()) {
        const available = findCondition(status?.conditions, 'Available');
        credentials.inc({ available: available?.status ?? 'Unknown', reason: available?.reason ?? 'Pending' });
      }
    },
  });
  const rotations = new Histogram({
    name: 'rekey_rotation_seconds',
    help: 'From the moment that a new version is known until every pod uses it.',
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers,
  });
  const rollbacks = new Counter({
    name: 'rekey_rollbacks_total',
    help: 'Versions that were refused and rolled back, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const polls = new Counter({
    name: 'rekey_polls_total',
    help: 'Questions to stores for metadata, by outcome: ok or a reason.',
    labelNames: ['store', 'outcome'],
    registers,
  });
  const errors = new Counter({
    name: 'rekey_reconcile_errors_total',
    help: 'Failed attempts to bring an object to what it should be, by error code.',
    labelNames: ['code'],
    registers,
  });
  return {
    rotated: (milliseconds) => rotations.observe(milliseconds / 1000),
    rolledBack: (reason) => rollbacks.inc({ reason }),
    polled: (store, outcome) => polls.inc({ store, outcome }),
    failed: (code) => errors.inc({ code }),
  };
}
