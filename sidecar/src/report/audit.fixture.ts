import type { Use } from './audit.ts';

/** A call as most are. */
export const use: Use = {
  credential: 'github',
  version: '8',
  host: 'api.github.com',
  method: 'GET',
  target: '/user',
  status: 200,
  latencyMilliseconds: 1.5,
  cache: 'hit',
  injected: true,
  replayed: false,
  reason: undefined,
  traceparent: undefined,
};
