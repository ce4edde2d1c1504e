import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A real server for integration tests, as a process on loopback with a folder of its own. */
export interface RealProcess {
  folder: string;
  /** As `until` below, but rejects with the last lines of what the process said when it ends meanwhile. */
  until: <T>(ready: () => Promise<T | undefined> | T | undefined) => Promise<T>;
  /** Ends it, and leaves its folder. */
  end: (signal: NodeJS.Signals) => Promise<void>;
  stop: () => Promise<void>;
}

interface Program {
  name: string;
  arguments: string[];
  folder: string;
  environment?: Record<string, string>;
}

/** Programs that the end-to-end tests build; a test without its program fails, it is not skipped. */
export function builtProgram(name: string): string {
  const path = join(process.env.REKEY_E2E_HOME ?? join(homedir(), '.cache/rekey-e2e'), 'bin', name);
  if (!existsSync(path)) throw new Error(`there is no ${path}: run e2e/cluster/build first`);
  return path;
}

export function temporaryFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `rekey-${name}-`));
}

export async function startProcess({ name, arguments: args, folder, environment = {} }: Program): Promise<RealProcess> {
  // What it says is there to be read while it runs, and goes with its folder.
  const log = openSync(join(folder, 'log'), 'a');
  const child = spawn(name, args, {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HOME: folder, ...environment },
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return {
    folder,
    until: (ready) =>
      until(ready, () => {
        if (child.exitCode === null && child.signalCode === null) return undefined;
        const said = readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n').slice(-5).join('\n');
        return new Error(`${name} ended (${child.exitCode ?? child.signalCode}):\n${said}`);
      }),
    end,
    stop: async () => {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `ready` resolves with something, for as long as the test may take, or until there is an `obstacle`. */
export async function until<T>(ready: () => Promise<T | undefined> | T | undefined, obstacle?: () => Error | undefined): Promise<T> {
  for (;;) {
    const error = obstacle?.();
    if (error !== undefined) throw error;
    const answer = await Promise.resolve()
      .then(ready)
      .catch(() => undefined);
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
