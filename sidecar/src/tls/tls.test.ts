import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import tls from 'node:tls';
import { issue } from './issue.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';
import { startTls } from './tls.ts';

const hosts = ['api.github.test', 'api.notion.test'];
const day = 86_400_000;
const began = Date.UTC(2026, 10, 22, 12);
let now = began;
let folder: string;
let caFolder: string;
let trustFolder: string;

beforeEach(() => {
  now = began;
  folder = mkdtempSync(join(tmpdir(), 'rekey-tls-'));
  caFolder = folder;
  trustFolder = mkdtempSync(join(folder, 'trust-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const start = async (extraCA?: string): ReturnType<typeof startTls> => {
  const running = await startTls({ hosts, caFolder, trustFolder, extraCA, log: () => {}, now: () => now });
  running.stop();
  return running;
};
const read = (name: string): string => readFileSync(join(caFolder, name), 'utf8');
const bundle = (): string => readFileSync(join(trustFolder, 'bundle.pem'), 'utf8');

test('the CA is for these hosts alone, the leaf for a week, from an hour ago', async () => {
  await start();
  const ca = new X509Certificate(read('ca.crt'));
  const leaf = new X509Certificate(read('leaf.crt'));
  expect(ca.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  expect(leaf.verify(ca.publicKey)).toBe(true);
  expect(leaf.subjectAltName).toBe('DNS:api.github.test, DNS:api.notion.test');
  expect([leaf.validFromDate.getTime(), leaf.validToDate.getTime()]).toEqual([began - 3_600_000, began + 7 * day]);
  expect([ca.publicKey.asymmetricKeyDetails?.namedCurve, leaf.publicKey.asymmetricKeyDetails?.namedCurve]).toEqual([
    'prime256v1',
    'prime256v1',
  ]);
});

test('a leaf of the CA for another host is not trusted: the CA is name-constrained', async () => {
  const { ca } = await issue({ hosts, now: Date.now() });
  const other = await issue({ hosts: ['evil.test'], now: Date.now(), ca });
  const own = await issue({ hosts, now: Date.now(), ca });
  await expect(handshake(other.leaf, ca.certificate, 'evil.test')).rejects.toThrow('permitted subtree violation');
  await expect(handshake(own.leaf, ca.certificate, 'api.github.test')).resolves.toBeUndefined();
});

function handshake({ key, certificate }: { key: string; certificate: string }, ca: string, servername: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = tls.createServer({ key, cert: certificate }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      const done = (error?: Error): void => {
        socket.destroy();
        server.close(() => (error === undefined ? resolve() : reject(error)));
      };
      const socket = tls.connect({ host: '127.0.0.1', port, servername, ca });
      socket.on('error', done).on('secureConnect', () => done());
    });
  });
}

test('the bundle holds the public roots, the additional certificates and the CA of the pod', async () => {
  const { ca } = await issue({ hosts, now: began });
  await start(ca.certificate);
  const certificates = bundle().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? [];
  expect(certificates).toHaveLength(rootCertificates.length + 2);
  expect(bundle()).toContain(ca.certificate.trim());
  expect(bundle()).toContain(read('ca.crt').trim());
  expect(bundle()).not.toContain('PRIVATE');
});

test('the keys are readable to the sidecar alone, the bundle to all, and nothing half-written stays', async () => {
  await start();
  const mode = (path: string): number => statSync(path).mode & 0o777;
  expect([mode(join(caFolder, 'ca.key')), mode(join(caFolder, 'leaf.key')), mode(join(trustFolder, 'bundle.pem'))]).toEqual([
    0o600, 0o600, 0o644,
  ]);
  expect(readdirSync(trustFolder)).toEqual(['bundle.pem']);
  expect(readdirSync(caFolder).filter((name) => !name.startsWith('trust-'))).toEqual(['ca.crt', 'ca.key', 'leaf.crt', 'leaf.key']);
});

test('a restarted sidecar comes back with the same CA, leaf and bundle', async () => {
  const files = (): string[] => [read('ca.key'), read('ca.crt'), read('leaf.key'), read('leaf.crt'), bundle()];
  await start();
  const before = files();
  await start();
  expect(files()).toEqual(before);
});

test.each([
  ['ca.crt', ''],
  ['ca.crt', undefined],
  ['ca.key', '-----BEGIN PRIVATE KEY-----'],
])('a half-written CA is made anew as long as the app has not seen it: %s %s', async (name, text) => {
  await start();
  const before = read('ca.key');
  const damage = (): void => (text === undefined ? rmSync(join(caFolder, name)) : writeFileSync(join(caFolder, name), text));
  damage();
  await expect(start()).rejects.toThrow("the pod's CA is lost although the app trusts it");
  rmSync(join(trustFolder, 'bundle.pem'));
  await start();
  expect(read('ca.key')).not.toBe(before);
  expect(new X509Certificate(read('leaf.crt')).verify(new X509Certificate(read('ca.crt')).publicKey)).toBe(true);
});

test('a leaf whose key is lost is made anew with the same CA', async () => {
  await start();
  const [ca, leaf] = [read('ca.crt'), read('leaf.crt')];
  rmSync(join(caFolder, 'leaf.key'));
  await start();
  expect(read('ca.crt')).toBe(ca);
  expect(read('leaf.crt')).not.toBe(leaf);
});

test('the leaf is renewed long before it ends, while running', async () => {
  now = Math.floor(Date.now() / 1000) * 1000 - 5 * day;
  const pod = await startPod({ now: () => now });
  const shown = async (): Promise<string> => {
    const socket = tls.connect({ host: '127.0.0.1', port: pod.port, servername: 'api.github.test', rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const { valid_to: end } = socket.getPeerCertificate();
    socket.destroy();
    return new Date(end).toISOString();
  };
  const first = await shown();
  now += day;
  await pod.sidecar.renew();
  expect(await shown()).toBe(first);
  now += 4 * day;
  await pod.sidecar.renew();
  expect(await shown()).toBe(new Date(now + 7 * day).toISOString());
  expect((await call(pod, { headers: bearer })).status).toBe(200);
  await pod.stop();
});

test('the leaf is looked at from time to time', async () => {
  const running = await startTls({ hosts, caFolder, trustFolder, extraCA: undefined, log: () => {}, now: () => now, pollMilliseconds: 10 });
  const before = read('leaf.crt');
  now += 6 * day;
  await until(() => read('leaf.crt') !== before);
  running.stop();
  await running.renew();
  expect(new X509Certificate(read('leaf.crt')).validToDate.getTime()).toBe(began + 13 * day);
});
