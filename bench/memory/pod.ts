import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from 'node:tls';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import { bundle, flags, variables } from '../sidecar.ts';
import type { Running } from './sources.ts';

const port = 18_443; // not 443, so that no right is needed
const host = 'api.github.com';

/** The folders that a pod mounts at /run/rekey, with one credential of the source. */
export function mountPod(folder: string, { source, store, token, secrets }: Running): void {
  const spec = {
    source,
    storeRef: { name: 'default' },
    version: '',
    hosts: [`${host}:${port}`],
    inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
    refused: [{ status: 401 }],
    env: [{ name: 'GITHUB_PERSONAL_ACCESS_TOKEN' }],
    podSelector: { matchLabels: { app: 'mcp-github' } },
    cacheTTLSeconds: 60,
    maxStaleSeconds: 300,
    suspend: false,
  };
  const snapshot: Snapshot = {
    credentials: [{ name: 'github', spec }],
    stores: store === undefined ? [] : [{ name: 'default', spec: store }],
  };
  for (const name of ['ca', 'trust', 'secrets']) mkdirSync(join(folder, name), { recursive: true });
  const files: Record<string, string> = {
    'identity/pod/snapshot': JSON.stringify(snapshot),
    'identity/api/token': 'none',
    'identity/api/ca.crt': '',
    'identity/source/default/token': token,
    ...Object.fromEntries(Object.entries(secrets).map(([path, text]) => [`secrets/${path}`, text])),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Starts the shipped bundle in a mount namespace of its own, where `folder` is /run/rekey. */
export function startSidecar(folder: string, env: Record<string, string> = {}): ChildProcess {
  const inside = 'mount -t tmpfs tmpfs /run && mkdir /run/rekey && mount --bind "$0" /run/rekey && exec "$@"';
  const command = [process.execPath, ...flags, join(bundle, 'main.js')];
  return spawn('unshare', ['--map-root-user', '--mount', 'bash', '-c', inside, folder, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      REKEY_NAMESPACE: 'tools',
      REKEY_POD: 'mcp-github-0',
      REKEY_POD_UID: 'c0ffee',
      REKEY_SERVICE_ACCOUNT: 'default',
      KUBERNETES_SERVICE_HOST: '127.0.0.1',
      KUBERNETES_SERVICE_PORT: '1',
      ...variables,
      ...env,
    },
  });
}

/** Makes one call, whose upstream is not to be had here, and resolves once its audit line says which version it was given. */
export async function firstRead(child: ChildProcess, folder: string): Promise<void> {
  await line(child.stderr, ({ message }) => message === 'listening');
  const socket = connect({ host: '127.0.0.1', port, servername: host, ca: readFileSync(join(folder, 'ca/ca.crt')) });
  socket.on('error', () => undefined);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}:${port}\r\nAuthorization: Bearer rekey-placeholder-github\r\nConnection: close\r\n\r\n`);
  const used = await line(child.stdout, ({ type }) => type === 'use');
  socket.destroy();
  if (typeof used['version'] !== 'string') throw new Error(`the sidecar read nothing: ${String(used['reason'])}`);
}

async function line(stream: ChildProcess['stdout'], wanted: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
  const said: string[] = [];
  for await (const text of createInterface({ input: stream as NodeJS.ReadableStream })) {
    said.push(text);
    const parsed = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
    if (wanted(parsed)) return parsed;
  }
  throw new Error(`the sidecar ended:\n${said.join('\n')}`);
}
