import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startDns } from '../sidecar/src/upstream/dns.fake.ts';

/** The upstream. A sidecar refuses loopback upstreams, so this address is put on the namespace's own device. */
export const address = '10.0.0.1';
export const host = 'api.bench.test';
export const vaultHost = 'vault.bench.test';

/** Where load, upstream and everything that is not measured runs, and where the proxy runs. */
export const cores = { others: 1, proxy: 0 } as const;

// What the machine has stays as it is: names, /run and the network are of this namespace alone, and so are the processes,
// which end with the first one of it.
const setUp = `
ip link set lo up && ip address add ${address}/32 dev lo
mount -t tmpfs tmpfs /run && mkdir /run/rekey
for name in hosts resolv.conf; do
  target=$(readlink -m /etc/$name)
  mkdir -p "$(dirname "$target")" && touch -a "$target" && mount --bind "$0/$name" "$target"
done
exec taskset -c ${cores.others} "$@"
`;

/** Runs this very program again, in namespaces of its own. Resolves with its exit code. */
export async function reenter(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'rekey-bench-'));
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n127.0.0.1 ${host}\n`);
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  const namespaces = ['--map-root-user', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const program = [process.execPath, ...process.argv.slice(1)];
  const child = spawn('unshare', [...namespaces, 'bash', '-euc', setUp, folder, ...program], {
    stdio: 'inherit',
    env: { ...process.env, REKEY_BENCH_FOLDER: folder },
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  rmSync(folder, { recursive: true, force: true });
  return code;
}

/** The folder of this run when the program is inside, for what lives as long as the run. */
export const folder = process.env['REKEY_BENCH_FOLDER'];

/** The names of the namespace, as c-ares asks for them. */
export async function startNames(): Promise<void> {
  await startDns({ [host]: { a: [address], ttl: 3600 }, [vaultHost]: { a: [address], ttl: 3600 } }, 53);
}
