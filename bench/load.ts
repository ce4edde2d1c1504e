import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { cores, host } from './namespace.ts';

export interface Load {
  /** Of the door on 127.0.0.1; 443 is the sidecar's. */
  port: number;
  connections: number;
  seconds: number;
  path: string;
  authorization: string;
  /** Where to connect; by the hosts file unless given. */
  address?: string;
}

export interface Loaded {
  requests: number;
  requestsPerSecond: number;
  /** Microseconds. */
  p50: number;
}

/** One run of wrk over kept connections. A failed request fails the run: a refusal is faster than an answer. */
export async function load({ port, connections, seconds, path, authorization, address = host }: Load): Promise<Loaded> {
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '--timeout', '10s'];
  const headers = [`Host: ${host}`, `Authorization: ${authorization}`, 'Accept: application/json', 'User-Agent: bench/1'];
  const target = `https://${address}:${port}${path}`;
  const command = ['-c', String(cores.others), 'wrk', ...options, ...headers.flatMap((header) => ['-H', header]), target];
  const child = spawn('taskset', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await text(child.stdout);
  if (/Non-2xx|Socket errors/u.test(said)) throw new Error(`requests failed at port ${port}:\n${said}`);
  return {
    requests: Number(field(said, /(\d+) requests in/u)),
    requestsPerSecond: Number(field(said, /Requests\/sec:\s+([\d.]+)/u)),
    p50: microseconds(field(said, /^\s+50%\s+(\S+)/mu)),
  };
}

function field(said: string, pattern: RegExp): string {
  const found = pattern.exec(said)?.[1];
  if (found === undefined) throw new Error(`wrk did not say what was expected of it:\n${said}`);
  return found;
}

function microseconds(duration: string): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/u.exec(duration) ?? [];
  return Number(number) * { us: 1, ms: 1000, s: 1_000_000 }[unit as 'us' | 'ms' | 's'];
}
