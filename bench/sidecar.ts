import type { ChildProcess } from 'node:child_process';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { sidecarHealthPort } from '@rekey/crds/names.ts';
import { cores, host } from './namespace.ts';
import { imageOf } from './dockerfile.ts';
import { placeholder } from './pod.ts';
import { startOn, stop } from './process.ts';

export const root = new URL('../', import.meta.url).pathname;
export const bundle = join(root, 'build/sidecar');

export interface RunningSidecar {
  pid: number;
  /** Milliseconds from the start of the process until its door was open, by its own log. */
  startMilliseconds: number;
  stop(): Promise<void>;
}

/** Node's flags and variables, as its image has them. */
export const { flags, variables } = imageOf('sidecar');

export interface SidecarMeans {
  upstreamCA: string;
  apiServerPort: number;
  /** Flags for Node besides the image's own, such as a profiler's. */
  more?: readonly string[];
}

/** Starts the bundle as its image does, in the pod that is mounted; resolves when its door is open. */
export async function startSidecar({ upstreamCA, apiServerPort, more = [] }: SidecarMeans): Promise<RunningSidecar> {
  const child = startOn(cores.proxy, [process.execPath, ...flags, ...more, join(bundle, 'main.js')], {
    // The audit goes into a pipe with a reader, as a pod's does.
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      REKEY_NAMESPACE: 'tools',
      REKEY_POD: 'mcp-bench-0',
      REKEY_POD_UID: 'c0ffee',
      REKEY_SERVICE_ACCOUNT: 'default',
      REKEY_EXTRA_CA: upstreamCA,
      KUBERNETES_SERVICE_HOST: 'localhost',
      KUBERNETES_SERVICE_PORT: String(apiServerPort),
      PATH: process.env['PATH'],
      ...variables,
    },
  });
  child.stdout?.resume();
  const startMilliseconds = await opened(child);
  return { pid: child.pid ?? 0, startMilliseconds, stop: () => stop(child) };
}

async function opened(child: ChildProcess): Promise<number> {
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      const { message, milliseconds } = line.startsWith('{') ? (JSON.parse(line) as { message: string; milliseconds: number }) : {};
      if (message === 'listening') resolve(milliseconds ?? Number.NaN);
    });
    child.once('exit', () => reject(new Error(`the sidecar did not start:\n${said.join('\n')}`)));
  });
}

/** Calls through the sidecar until one is answered with 200: the credential is there. The API refuses any call without it. */
export async function firstCall(path = '/v1/items'): Promise<void> {
  const statuses: number[] = [];
  for (const end = performance.now() + 10_000; performance.now() < end; await pause(1)) {
    const status = await call(path);
    if (status === 200) return;
    statuses.push(status);
  }
  throw new Error(`no call through the sidecar was answered with 200 in 10 s, but with ${[...new Set(statuses)].join()}`);
}

function call(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host, authorization: placeholder };
    // The pod's CA is not what is tested here.
    request({ host: '127.0.0.1', servername: host, path, headers, agent: false, rejectUnauthorized: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end();
  });
}

/** As Prometheus does. */
export async function scrape(): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${sidecarHealthPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answers ${response.status}`);
  return response.text();
}
