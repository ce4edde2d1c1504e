import type { Use, Who } from '../report/audit.ts';
import { processClock } from '../clock.ts';
import { OtlpLogs } from './logs.ts';
import { postTo } from './post.ts';
import type { PostOptions } from './post.ts';

export interface Otlp {
  add: (use: Use, line: string, milliseconds: number) => void;
  stop: () => Promise<void>;
}

/** Sends what is added to a collector, until it is stopped. */
export function startOtlp({ who, onLost, ...place }: PostOptions & { who: Who; onLost: (lines: number) => void }): Otlp {
  const { post, close } = postTo(place);
  const logs = new OtlpLogs({ who, post, onLost, clock: processClock, random: Math.random, now: Date.now });
  return {
    add: (use, line, milliseconds) => logs.add(use, line, milliseconds),
    stop: async () => {
      await logs.stop();
      close();
    },
  };
}
