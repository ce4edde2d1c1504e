import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const root = new URL('../../', import.meta.url).pathname;
/** Caches and state of the cluster, outside the checkout. */
export const home = process.env.REKEY_E2E_HOME ?? join(homedir(), '.cache/rekey-e2e');

const started = Date.now();
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
export const elapsed = (since = started): string => `[${String(Math.round((Date.now() - since) / 1000)).padStart(4)}s]`;

/** Runs one named step and says when it is done and how long it took; a step that fails says so under its name. */
export async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  const since = Date.now();
  say(`${elapsed()} ${name} …`);
  try {
    const result = await run();
    if (Date.now() - since > 2000) say(`${elapsed()} ${name}: done in ${((Date.now() - since) / 1000).toFixed(1)} s`);
    return result;
  } catch (error) {
    say(`${elapsed()} ${name}: FAILED`);
    throw error;
  }
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  /** Show the output while it runs instead of returning it. */
  show?: boolean;
}

/** Runs a command to its end; resolves with its output, rejects with the last lines that it printed. */
export function run(command: string, args: readonly string[], { input, env, show = false }: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    });
    const out: string[] = [];
    const all: string[] = [];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => void (out.push(text), all.push(text)));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => void all.push(text));
    child.stdin?.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(out.join(''));
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}\n${all.join('').split('\n').slice(-40).join('\n')}`));
    });
  });
}

/** Asks until the answer is not undefined; rejects with what is still missing when the time is over. */
export async function until<T>(what: string, seconds: number, ask: () => Promise<T | undefined>, every = 250): Promise<T> {
  const end = Date.now() + seconds * 1000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
  throw new Error(`not within ${seconds} s: ${what}${last instanceof Error ? ` (${last.message})` : ''}`);
}
