import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openHealth } from './report/health.ts';
import type { FakePod } from './pod.fake.ts';
import { answerTo, bearer, call, configOf, startPod, until } from './pod.fake.ts';
import { startSidecar } from './start.ts';

const get = async (port: number, path: string, method = 'GET'): Promise<[number, string]> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return [response.status, await response.text()];
};

describe('health and metrics', () => {
  let pod: FakePod;
  beforeAll(async () => {
    pod = await startPod();
  });
  afterAll(() => pod.stop());

  test('healthy without a source', async () => {
    pod.credential.failing = 'SourceUnreachable';
    expect(await get(pod.sidecar.healthPort, '/healthz')).toEqual([200, 'ok\n']);
    pod.credential.failing = undefined;
    expect((await get(pod.sidecar.healthPort, '/ca.key'))[0]).toBe(404);
    expect((await get(pod.sidecar.healthPort, '/healthz', 'POST'))[0]).toBe(405);
  });

  test('calls, errors, replays, versions and times are counted', async () => {
    pod.handler = (request, response) => void response.writeHead(request.headers.authorization?.includes('-8-') === true ? 200 : 401).end();
    pod.credential.newest = '8';
    await call(pod, { headers: bearer });
    await call(pod, { headers: bearer });
    pod.credential.failing = 'SourceSealed';
    await call(pod, { headers: bearer });
    pod.credential.failing = undefined;
    await call(pod, { headers: { host: 'evil.test' } });
    const [, text] = await get(pod.sidecar.healthPort, '/metrics');
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        '# TYPE rekey_calls_total counter',
        'rekey_calls_total{credential="github",code="2xx"} 2',
        'rekey_calls_total{credential="github",code="5xx"} 1',
        'rekey_calls_total{credential="",code="4xx"} 1',
        'rekey_call_errors_total{reason="SourceSealed"} 1',
        'rekey_call_errors_total{reason="HostNotConfigured"} 1',
        'rekey_replays_total{credential="github"} 1',
        'rekey_credential_info{credential="github",version="8"} 1',
        'rekey_audit_lost_total 0',
        '# TYPE rekey_call_seconds histogram',
        'rekey_call_seconds_bucket{le="+Inf",credential="github"} 3',
        'rekey_call_seconds_count{credential="github"} 3',
      ]),
    );
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/mu);
    // A second scrape counts nothing twice.
    expect((await get(pod.sidecar.healthPort, '/metrics'))[1]).toContain('rekey_calls_total{credential="github",code="2xx"} 2\n');
  });
});

test('healthy only once the bundle is there and the door is open', async () => {
  const { port } = await openHealth({ port: 0, metrics: { contentType: '', text: () => Promise.resolve('') } }).then(async (health) => {
    await health.stop();
    return health;
  });
  const starting = startPod({ healthPort: port });
  const starts = (): Promise<boolean> =>
    get(port, '/healthz').then(
      ([status]) => status === 503,
      () => false,
    );
  await until(starts);
  const pod = await starting;
  expect(await get(port, '/healthz')).toEqual([200, 'ok\n']);
  await pod.stop();
});

test('a port that somebody else has keeps the sidecar from starting', async () => {
  const pod = await startPod();
  const config = configOf(pod.credentials, undefined);
  const options = { config, log: () => {}, caFolder: pod.folder, trustFolder: pod.folder, healthPort: 0 };
  await expect(
    startSidecar({ ...options, credentials: () => ({ list: () => [], onChange: () => {}, stop: () => Promise.resolve() }) }),
  ).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  await pod.stop();
});

test('stopping lets a call in flight finish, takes no new one, and writes the audit', async () => {
  const pod = await startPod();
  const arrived = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  pod.handler = (_request, response) => {
    arrived.resolve();
    void held.promise.then(() => response.end('late'));
  };
  const answer = call(pod, { path: '/inflight', headers: bearer });
  await arrived.promise;
  const stopped = pod.sidecar.stop(60_000);
  await expect(answerTo(pod.request({ agent: false, headers: bearer, ca: '' }).end())).rejects.toThrow('ECONNREFUSED');
  held.resolve();
  expect((await answer).body.toString()).toBe('late');
  await stopped;
  expect(pod.audit.some(({ path }) => path === '/inflight')).toBe(true);
  await new Promise((resolve) => pod.upstream.close(resolve));
});

test('stopping does not wait longer than it is given', async () => {
  const pod = await startPod();
  pod.handler = (_request, response) => void response.write('first');
  const request = pod.request({ headers: bearer }).end();
  const answer = await answerTo(request);
  const cut = new Promise((resolve) =>
    answer
      .on('error', () => {})
      .on('close', resolve)
      .resume(),
  );
  await pod.sidecar.stop(10);
  await cut;
  expect(answer.complete).toBe(false);
  pod.upstream.closeAllConnections();
  await new Promise((resolve) => pod.upstream.close(resolve));
});

test('a call that is cut off when the time is over has its line in the audit', async () => {
  const pod = await startPod();
  const arrived = Promise.withResolvers<void>();
  pod.handler = () => arrived.resolve();
  const answer = answerTo(pod.request({ path: '/cut', headers: bearer }).end());
  await arrived.promise;
  await Promise.all([pod.sidecar.stop(10), expect(answer).rejects.toThrow('socket hang up')]);
  const lines = pod.audit.filter(({ path }) => path === '/cut');
  pod.upstream.closeAllConnections();
  await new Promise((resolve) => pod.upstream.close(resolve));
  expect(lines).toMatchObject([{ status: 0, version: '7' }]);
});

type Child = ChildProcessByStdio<null, Readable, Readable>;

function run(env: Record<string, string>): { child: Child; told: () => string } {
  const child = spawn(process.execPath, [fileURLToPath(new URL('./main.ts', import.meta.url))], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, told: () => text };
}

test('without its configuration the process ends with all that is missing', async () => {
  const { child, told } = run({ REKEY_NAMESPACE: 'tools' });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(told()).toContain('REKEY_POD_UID is not set');
  expect(told()).toContain('KUBERNETES_SERVICE_HOST is not set');
});
