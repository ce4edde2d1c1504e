import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Starts a program on one core. It execs, so the process is the program's own. */
export function startOn(core: number, command: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'ignore', 'inherit'], ...options });
}

/** Resolves when something listens there; rejects when the process ended first. */
export async function listening(child: ChildProcess, address: string, port: number): Promise<void> {
  while (!(await accepts(address, port))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${child.spawnargs.join(' ')} ended before it listened`);
    await pause(5);
  }
}

function accepts(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Nanoseconds that all threads of the process have had on a core so far (proc(5), schedstat). */
export function cpu(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds;
}

/**
 * Private memory in MB: what a further pod on the same node costs, since files are shared. RssAnon (proc(5)) is what `Anonymous` of smaps_rollup says
 * to a few kB, but takes 0.03 ms instead of 1.7, in which the process that is measured could not change its memory map.
 */
export function memory(pid: number): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error(`process ${pid} has ended, so it has no memory to measure`);
  return Number(kilobytes) / 1024;
}
