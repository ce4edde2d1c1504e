import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { scrape } from '../sidecar.ts';
import { call } from './client.ts';
import type { Stage } from './stage.ts';

const polite = 4;
const phaseMilliseconds = 6000;

interface Phase {
  calls: number;
  /** How many calls ended otherwise than with status 200, by what was seen: the status, or the code of the error. */
  failed: Record<string, number>;
  p50: number;
  p99: number;
  mostMB: number;
}

/**
 * 10,000 connections that ask for nothing, then 100 heads and 100 bodies that come by a byte each, then bombs from the upstream in
 * answers that are searched: each beside all before. Meanwhile others make calls: their times in milliseconds, before, meanwhile and after.
 */
export async function ofACrowd(stage: Stage): Promise<object> {
  const flood = fork(fileURLToPath(new URL('flood.ts', import.meta.url)), [stage.through.authorization()]);
  setPriority(flood.pid ?? 0, constants.priority.PRIORITY_LOW);
  const during = (doing: Promise<unknown>): Promise<Phase> => phase(stage, doing);
  await during(pause(phaseMilliseconds / 2));
  const quiet = await during(pause(phaseMilliseconds));
  const opening = await during(act(flood, 'idle'));
  const idle = await during(pause(phaseMilliseconds));
  await act(flood, 'slow');
  const slow = await during(pause(phaseMilliseconds));
  await act(flood, 'bomb');
  const bombed = await during(pause(phaseMilliseconds));
  const text = await scrape();
  const number = (series: string): number => Number(text.split(`\n${series} `)[1]?.split('\n')[0] ?? 0);
  flood.kill();
  await once(flood, 'exit');
  const quietAgain = await during(pause(phaseMilliseconds));
  const before = (quiet.p99 + quietAgain.p99) / 2;
  return {
    phases: { quiet, opening, idle, slow, bombed, quietAgain },
    failed: Object.fromEntries(Object.entries({ quiet, opening, idle, slow, bombed, quietAgain }).flatMap(failures)),
    p99Ratio: Object.fromEntries(Object.entries({ opening, idle, slow, bombed }).map(([name, { p99 }]) => [name, round(p99 / before)])),
    clients: number('rekey_client_connections'),
    givenWay: ['connections', 'idle'].reduce((sum, limit) => sum + number(`rekey_limits_total{limit="${limit}"}`), 0),
    mostMB: round(stage.watch.most()),
  };
}

const failures = ([name, { failed }]: [string, Phase]): [string, number][] =>
  Object.entries(failed).map(([what, count]) => [`${name}: ${what}`, count]);

const round = (value: number): number => Math.round(value * 100) / 100;

async function act(flood: ChildProcess, word: string): Promise<void> {
  flood.send(word);
  await once(flood, 'message');
}

/** Calls that come one behind the other on a few connections, as long as something else lasts. */
async function phase({ through, watch }: Stage, doing: Promise<unknown>): Promise<Phase> {
  const times: number[] = [];
  const failed: Phase['failed'] = {};
  let mostMB = 0;
  const doings = { over: false };
  const caller = async (): Promise<void> => {
    while (!doings.over) {
      const began = performance.now();
      const seen = await call(through, { path: '/bytes?seed=1&size=1000&framing=length' }).then(
        ({ status }) => String(status),
        (error: NodeJS.ErrnoException) => `${error.code ?? error.message} after ${Math.round(performance.now() - began)} ms`,
      );
      times.push(performance.now() - began);
      if (seen !== '200') failed[seen] = (failed[seen] ?? 0) + 1;
      mostMB = Math.max(mostMB, watch.now());
      await pause(4);
    }
  };
  const callers = Promise.all(Array.from({ length: polite }, caller));
  await doing;
  doings.over = true;
  await callers;
  times.sort((one, other) => one - other);
  const at = (share: number): number => round(times[Math.floor(times.length * share)] ?? 0);
  return { calls: times.length, failed, p50: at(0.5), p99: at(0.99), mostMB: round(mostMB) };
}
