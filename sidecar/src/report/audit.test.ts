import { use } from './audit.fixture.ts';
import { Audit } from './audit.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, otherHost, placeholder, startPod, until } from '../pod.fake.ts';
import { scrape } from './metric.fixture.ts';

const who = { namespace: 'tools', pod: 'mcp-github-0', serviceAccount: 'mcp' };

describe('one line a use', () => {
  let pod: FakePod;
  beforeAll(async () => {
    pod = await startPod();
  });
  afterAll(() => pod.stop());
  const line = async (path: string): Promise<unknown> => {
    await until(() => pod.audit.some((entry) => entry['path'] === path));
    const lines = pod.audit.filter((entry) => entry['path'] === path);
    expect(lines).toHaveLength(1);
    return lines[0];
  };

  test('who, what, with which version and how it ended', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await call(pod, { method: 'POST', path: '/line?q=secret', headers: { ...bearer, traceparent } }, 'body');
    expect(await line('/line')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u) as string,
      type: 'use',
      ...who,
      credential: 'github',
      version: '7',
      host: 'api.github.test',
      method: 'POST',
      path: '/line',
      status: 200,
      latencyMilliseconds: expect.any(Number) as number,
      cache: 'hit',
      injected: true,
      replayed: false,
      traceparent,
    });
  });

  test('a replayed call is one line, with the version that it ended with', async () => {
    Object.assign(pod.credential, { newest: '8', cold: true });
    pod.handler = (request, response) => void response.writeHead(request.headers.authorization?.includes('-8-') === true ? 200 : 401).end();
    await call(pod, { path: '/replayed', headers: bearer });
    Object.assign(pod.credential, { held: '7', cold: false });
    expect(await line('/replayed')).toMatchObject({ status: 200, version: '8', cache: 'miss', injected: true, replayed: true });
  });

  test('a call that the sidecar answers by itself is a line with the reason', async () => {
    pod.credential.failing = 'Suspended';
    await call(pod, { path: '/suspended', headers: bearer });
    pod.credential.failing = undefined;
    expect(await line('/suspended')).toMatchObject({ status: 503, reason: 'Suspended', injected: false, credential: 'github' });
    await call(pod, { path: '/elsewhere?a=b', headers: { host: otherHost } });
    expect(await line('/elsewhere')).toMatchObject({ status: 421, reason: 'HostNotConfigured', injected: false, host: 'api.github.test' });
  });

  test('nothing that the sidecar writes holds a value', async () => {
    const value = pod.credential.value('7');
    const { current } = pod.credential;
    if (current !== undefined) pod.credential.current = { ...current, inject: [{ query: { name: 'key' } }, { header: { name: 'X-Key' } }] };
    pod.handler = (request, response) => {
      response.statusCode = request.headers['x-key'] === value && request.url?.includes(encodeURIComponent(value)) === true ? 200 : 500;
      response.end();
    };
    const answers = [await call(pod, { path: `/values?key=${placeholder}`, headers: { 'x-key': placeholder } })];
    pod.handler = (request) => void request.socket.destroy();
    answers.push(await call(pod, { path: `/values/reset?key=${placeholder}`, headers: { 'x-key': placeholder } }));
    pod.credential.current = current;
    expect(answers.map(({ status }) => status)).toEqual([200, 502]);
    await line('/values/reset');
    const metrics = await scrape(pod);
    const all = [pod.written, metrics, ...answers.flatMap(({ rawHeaders, body }) => [rawHeaders.join(), body.toString()])].join();
    expect(all).toContain('/values/reset');
    for (const form of [value, encodeURIComponent(value), Buffer.from(value).toString('base64')]) expect(all).not.toContain(form);
    expect(all).not.toContain('key=');
  });
});

/** A stdout whose reader can be held. */
function pipe(): {
  text: string;
  release: () => void;
  write: (bytes: Buffer, done: (error: Error | null, written: number) => void) => void;
} {
  let held: (() => void)[] | undefined = [];
  const stdout = {
    text: '',
    release: () => {
      for (const resume of held ?? []) resume();
      held = undefined;
    },
    write: (bytes: Buffer, done: (error: Error | null, written: number) => void) => {
      const part = bytes.subarray(0, 10_000);
      const take = (): void => {
        stdout.text += part.toString();
        setImmediate(done, null, part.length);
      };
      if (held === undefined) take();
      else held.push(take);
    },
  };
  return stdout;
}

test('each line is written or counted as lost, however slow the reader is', async () => {
  const stdout = pipe();
  let lost = 0;
  const audit = new Audit({ who, write: stdout.write, onLost: (lines) => (lost += lines) });
  for (let index = 0; index < 10_000; index += 1) audit.add({ ...use, target: `/${index}` });
  expect(lost).toBeGreaterThan(0);
  stdout.release();
  await audit.stop(60_000);
  const written = stdout.text.trim().split('\n');
  expect(written.length + lost).toBe(10_000);
  expect(written.map((line) => (JSON.parse(line) as { path: string }).path)).toEqual(written.map((_line, index) => `/${index}`));
});

test('lines that come while others are written wait for a batch of their own', async () => {
  let writes = 0;
  const write = (bytes: Buffer, done: (error: Error | null, written: number) => void): void => {
    writes += 1;
    setImmediate(done, null, bytes.length);
  };
  const audit = new Audit({ who, write, onLost: () => {} });
  for (let index = 0; index < 250; index += 1) audit.add(use);
  expect(writes).toBe(1);
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    audit.add(use);
  }
  await audit.stop();
  expect(writes).toBeLessThan(5);
});

test('a pipe that is full is tried again, one that is gone loses its lines', async () => {
  let lost = 0;
  const codes = ['EAGAIN', 'EPIPE'];
  const write = (_bytes: Buffer, done: (error: Error | null, written: number) => void): void =>
    void setImmediate(done, Object.assign(new Error('no'), { code: codes.shift() }), 0);
  const audit = new Audit({ who, write, onLost: (lines) => (lost += lines) });
  audit.add(use);
  audit.add(use);
  await audit.stop(60_000);
  expect([lost, codes]).toEqual([2, []]);
});

test('stopping does not wait for a reader that is stuck, and counts what it leaves', async () => {
  let lost = 0;
  const audit = new Audit({ who, write: () => {}, onLost: (lines) => (lost += lines) });
  for (let index = 0; index < 1000; index += 1) audit.add(use);
  await audit.stop(10);
  expect(lost).toBe(1000);
});

test('whatever stands in a request, its use is one line of JSON', async () => {
  const stdout = pipe();
  stdout.release();
  const audit = new Audit({ who, write: stdout.write, onLost: () => {}, now: () => 0 });
  const odd = '/"},{"type":"use\\\n\u2028\ud800';
  audit.add({ ...use, target: odd, host: odd, method: odd, version: odd, reason: 'UpstreamReset' });
  await audit.stop();
  expect(stdout.text.split('\n')).toHaveLength(2);
  const made = { host: odd, method: odd, version: odd, path: odd, reason: 'UpstreamReset' };
  const told = { credential: 'github', status: 200, latencyMilliseconds: 1.5, cache: 'hit', injected: true, replayed: false };
  expect(JSON.parse(stdout.text)).toEqual({ type: 'use', ...who, time: '1970-01-01T00:00:00.000Z', ...made, ...told });
});

test('the path is bounded and has no query, and a traceparent that is not one is left out', async () => {
  const stdout = pipe();
  stdout.release();
  const audit = new Audit({ who, write: stdout.write, onLost: () => {} });
  audit.add({ ...use, target: `/${'a'.repeat(5000)}?token=x`, traceparent: 'x" , "a": "b' });
  await audit.stop();
  const line = JSON.parse(stdout.text) as { path: string };
  expect(line.path).toHaveLength(1024);
  expect(line).not.toHaveProperty('traceparent');
});
