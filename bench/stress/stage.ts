import { randomBytes } from 'node:crypto';
import https from 'node:https';
import { fakeApiServer } from '../../sidecar/src/api-server.fake.ts';
import { issue } from '../../sidecar/src/tls/issue.ts';
import { address, host, startNames } from '../namespace.ts';
import { mountPod, placeholder } from '../pod.ts';
import { memory } from '../process.ts';
import { firstCall, startSidecar } from '../sidecar.ts';
import { startVault } from '../vault.ts';
import type { Path } from './client.ts';
import { startUpstream } from './upstream.ts';
import type { StressUpstream } from './upstream.ts';

/** The shipped sidecar as a process, with its upstream and its Vault. */
export interface Stage {
  upstream: StressUpstream;
  through: Path;
  direct: Path;
  /** Private memory of the sidecar, in MB. */
  watch: { now(): number; most(): number };
  /** Writes a new value to Vault; from then on the upstream refuses the old one. */
  rotate: () => Promise<void>;
}

/** What the credential has beside a header on one host. */
export async function startStage(folder: string, more: Parameters<typeof mountPod>[2] = {}): Promise<Stage> {
  const pki = await issue({ hosts: [host], now: Date.now() });
  const upstream = await startUpstream(pki);
  await startNames();
  const next = (): string => `sk-stress-${randomBytes(16).toString('hex')}`;
  upstream.accepted = next();
  const { place, write } = await startVault({ folder, value: upstream.accepted });
  const apiServer = await fakeApiServer();
  mountPod(place, apiServer, more);
  const { pid } = await startSidecar({ upstreamCA: pki.ca.certificate, apiServerPort: apiServer.server.port });
  await firstCall('/empty?status=200');
  const agent = (): https.Agent => new https.Agent({ keepAlive: true, maxSockets: Infinity });
  return {
    upstream,
    through: { address: '127.0.0.1', authorization: () => placeholder, agent: agent() },
    direct: { address, authorization: () => `Bearer ${upstream.accepted}`, agent: agent() },
    watch: watchOf(pid),
    rotate: async () => {
      const value = next();
      await write(value);
      upstream.accepted = value;
    },
  };
}

function watchOf(pid: number): Stage['watch'] {
  let most = 0;
  const now = (): number => {
    const megabytes = memory(pid);
    most = Math.max(most, megabytes);
    return megabytes;
  };
  setInterval(now, 50).unref();
  return { now, most: () => Math.max(most, now()) };
}
