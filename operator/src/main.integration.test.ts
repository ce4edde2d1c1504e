import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeApiServer } from './api-server.fake.ts';
import { startFakeApiServer } from './api-server.fake.ts';
import type { FakeWebhookConfiguration } from './webhook-configuration.fake.ts';
import { fakeWebhookConfiguration } from './webhook-configuration.fake.ts';

/** Starting Node and the API client takes a second on an idle machine. */
const patience = 60_000;
let server: FakeApiServer;
let webhooks: FakeWebhookConfiguration;
let directory: string;
let environment: Record<string, string>;
let running: Running[];

beforeEach(async () => {
  running = [];
  webhooks = fakeWebhookConfiguration();
  server = await startFakeApiServer((received) => {
    if (received.path.startsWith('/apis/admissionregistration')) return webhooks.handler(received);
    return { status: 200, body: { items: [], metadata: { resourceVersion: '1' } } };
  });
  directory = mkdtempSync(join(tmpdir(), 'rekey-operator-'));
  const kubeconfig = join(directory, 'kubeconfig');
  writeFileSync(kubeconfig, server.configuration.exportConfig());
  const ports = { REKEY_WEBHOOK_PORT: '0', REKEY_HEALTH_PORT: '0' };
  environment = { ...ports, KUBECONFIG: kubeconfig, REKEY_NAMESPACE: 'rekey-system', REKEY_SIDECAR_IMAGE: 'sidecar:1' };
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await server.close();
  rmSync(directory, { recursive: true });
});

test(
  'says all that is wrong with its configuration, and ends',
  async () => {
    const { exit, lines } = run({ REKEY_LOG_LEVEL: 'loud' });
    expect(await exit).toBe(1);
    const said = lines.map((line) => JSON.parse(line) as { level: string; code: string; message: string });
    expect(said.map(({ message }) => message)).toEqual([
      'REKEY_NAMESPACE is not set',
      'REKEY_SIDECAR_IMAGE is not set',
      'REKEY_LOG_LEVEL is "loud": choose one of debug, info, warn, error',
    ]);
    expect(said.map(({ level, code }) => `${level} ${code}`)).toEqual(Array(3).fill('error ConfigInvalid'));
  },
  patience,
);

test(
  'becomes ready, and ends with 0 on SIGTERM',
  async () => {
    const { exit, lines, child } = run(environment);
    const port = await portIn(lines, 'health and metrics listen');
    const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${port}/readyz`)).status;
    await until(async () => (await ready()) === 200);
    await until(async () => (await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).includes('rekey_leader 1'));
    child.kill('SIGTERM');
    await until(async () => (await ready()) === 503);
    expect(await exit).toBe(0);
  },
  patience,
);

test(
  'of a failure that nobody has caught it logs the code alone',
  async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, resolve));
    const { exit, lines } = run({ ...environment, REKEY_HEALTH_PORT: String((taken.address() as AddressInfo).port) });
    expect(await exit).toBe(1);
    expect(lines.map((line) => JSON.parse(line) as object).at(-1)).toEqual({
      time: expect.any(String) as string,
      level: 'error',
      message: 'the operator ends',
      code: 'EADDRINUSE',
    });
    taken.close();
  },
  patience,
);

interface Running {
  child: ChildProcess;
  /** Of stdout and stderr. */
  lines: string[];
  exit: Promise<number | null>;
}

function run(env: Record<string, string>): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
  }
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  const started = { child, lines, exit };
  running.push(started);
  return started;
}

async function portIn(lines: readonly string[], message: string): Promise<number> {
  await until(async () => Promise.resolve(lines.some((line) => line.includes(message))));
  const line = lines.find((candidate) => candidate.includes(message)) ?? '{}';
  return (JSON.parse(line) as { port: number }).port;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
