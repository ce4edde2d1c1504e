import type { Registry } from 'prom-client';
import { Counter, Histogram } from 'prom-client';
import type { Answer } from './review.ts';

export interface AdmissionMetrics {
  observe: (answer: Pick<Answer, 'result' | 'reason'>, seconds?: number) => void;
}

/** Labels come from closed lists alone: what a client sends makes no new series. */
export function admissionMetrics(registry: Registry): AdmissionMetrics {
  const registers = [registry];
  const count = new Counter({
    name: 'rekey_admissions_total',
    help: 'Admission reviews, by what became of the pod and why it was refused.',
    labelNames: ['result', 'reason'] as const,
    registers,
  });
  const duration = new Histogram({
    name: 'rekey_admission_seconds',
    help: 'Time from the parsed review to its answer.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
    registers,
  });
  return {
    observe: ({ result, reason }, seconds) => {
      count.inc({ result, reason });
      if (seconds !== undefined) duration.observe(seconds);
    },
  };
}
