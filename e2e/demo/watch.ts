import { spawn } from 'node:child_process';
import { kubeconfig, kubectlPath } from '../lib/kube.ts';
import { elapsed, say } from '../lib/run.ts';

/** Shows `kubectl get ARGS -w` while `during` runs, each line with the elapsed time; the first list is left out after the first time. */
export async function watching<T>(args: readonly string[], during: () => Promise<T>): Promise<T> {
  const child = spawn(kubectlPath, ['get', ...args, '-w', '--output-watch-events=false'], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) say(`${elapsed()}   ${line}`);
  });
  try {
    return await during();
  } finally {
    child.kill();
  }
}
