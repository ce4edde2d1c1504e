import { readdir, readFile } from 'node:fs/promises';
import { containers } from './kube.ts';
import type { Pod } from './kube.ts';

/** The process of a container, on this machine. */
export async function processOf(pod: Pod, name: string): Promise<number> {
  const id = containers(pod)
    .find((container) => container.name === name)
    ?.containerID?.replace(/^.*:\/\//u, '');
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/u.test(entry))) {
    const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    if (id !== undefined && cgroup.includes(id)) return Number(pid);
  }
  throw new Error(`no process of ${name}`);
}
