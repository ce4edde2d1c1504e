import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, Express } from 'express';
import express from 'express';
import type { Log } from '@rekey/lib/log.ts';
import type { SidecarSettings } from '../config.ts';
import type { AdmissionMetrics } from './metrics.ts';
import type { Answer, State } from './review.ts';
import { review } from './review.ts';

export interface Webhook {
  state: State;
  settings: SidecarSettings;
  metrics: AdmissionMetrics;
  log: Log;
  /** While the operator stops, each answer ends its connection, so that the next admission goes to another replica. */
  draining: () => boolean;
  /** The uid of the operator's own reviews, by which it sees whether it can serve (`self-check.ts`). */
  ownReview?: string;
}

/** The API server's own limit for a request, 3 MiB. */
const bodyLimit = 3 * 1024 * 1024;

/** `POST /mutate`: an AdmissionReview in and out. Knows nothing of injection; says nothing of what it was sent. */
export function webhookApp({ state, settings, metrics, log, draining, ownReview }: Webhook): Express {
  const app = bareApp();
  app.post('/mutate', express.json({ limit: bodyLimit, inflate: false }), (request, response) => {
    const started = performance.now();
    const own = ownReview !== undefined && uidOf(request.body) === ownReview;
    // Its namespace may be none of those that are watched.
    const answer = review(request.body, own ? { ...state, namespaceLabels: () => ({}) } : state, settings);
    if (!own) metrics.observe(answer, (performance.now() - started) / 1000);
    if (!own) logAnswer(log, answer);
    if (draining()) response.set('Connection', 'close');
    if (answer.body === undefined) response.status(answer.status).type('text').send(STATUS_CODES[answer.status]);
    else response.json(answer.body);
  });
  return closed(app, (status) => {
    metrics.observe({ result: 'invalid', reason: '' });
    log('warn', 'admission request refused', { status });
  });
}

function uidOf(body: unknown): unknown {
  return (body as { request?: { uid?: unknown } | null } | undefined)?.request?.uid;
}

function logAnswer(log: Log, { result, reason, status }: Answer): void {
  if (result === 'refused' || result === 'failed') log('warn', 'pod refused', { reason, status });
  if (result === 'unavailable') log('warn', 'admission before the caches have synced', { status });
}

export function bareApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

/** Ends the list of routes: 404 for the rest, and errors as their bare status, without a word of the request. */
export function closed(app: Express, onError: (status: number) => void = () => {}): Express {
  const failed: ErrorRequestHandler = (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = statusOf(error);
    onError(status);
    response.status(status).type('text').send(STATUS_CODES[status]);
  };
  app.use((_request, response) => void response.status(404).type('text').send(STATUS_CODES[404]));
  app.use(failed);
  return app;
}

/** body-parser's errors carry the status that they ask for: 400, 413, 415. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500;
  return status >= 400 && status < 500 && status in STATUS_CODES ? status : 500;
}
