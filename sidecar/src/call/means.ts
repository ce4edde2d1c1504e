import type { Audit } from '../report/audit.ts';
import type { Limits } from '../limits.ts';
import type { Metrics } from '../report/metrics.ts';
import type { Unpacking } from '../scrub/unpacking.ts';
import type { Turn } from '../turn.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What all calls share. */
export interface Means {
  upstream: Upstream;
  audit: Audit;
  metrics: Metrics;
  limits: Limits;
  turn: Turn;
  unpacking: Unpacking;
}
