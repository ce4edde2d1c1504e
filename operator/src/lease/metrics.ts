import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Lease } from './lease.ts';

/** Over all replicas the sum is 1, but for the seconds in which the lead passes on; two would be a fault. */
export function leaseMetrics(registry: Registry, { holds }: Pick<Lease, 'holds'>): void {
  const leader: Gauge = new Gauge({
    name: 'rekey_leader',
    help: 'Which replica polls and writes: 1 there, 0 on the others.',
    registers: [registry],
    collect: (): void => leader.set(holds() ? 1 : 0),
  });
}
