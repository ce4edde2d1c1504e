import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { sleep } from '@rekey/lib/backoff.ts';
import { Registry } from 'prom-client';
import type { Pace } from './certificate.ts';
import type { WebhookConfiguration } from './certificate-bundle.ts';
import { parseConfig } from './config.ts';
import { startApiServer } from './controller/api-server.real.ts';
import type { RealApiServer } from './controller/api-server.real.ts';
import type { Operator } from './operator.ts';
import { startOperator } from './operator.ts';
import { until } from '@rekey/lib/process.real.ts';

const patience = 240_000;
const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rekey-operator';
const namespace = 'rekey-system';
let api: RealApiServer;
let replicas: Operator[];

beforeAll(async () => {
  api = await startApiServer();
  await api.admin.apply(`/api/v1/namespaces/${namespace}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  // The API server calls it by its name, and finds it here.
  const service = { type: 'ExternalName', externalName: 'localhost' };
  await api.admin.apply(`/api/v1/namespaces/${namespace}/services/rekey-operator`, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'rekey-operator', namespace },
    spec: service,
  });
}, patience);
beforeEach(() => (replicas = []));
afterEach(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await api.remove(path);
}, patience);
afterAll(() => api.stop(), patience);

/** Ready, and known to the API server under a webhook of its own: so each creation of a pod calls every replica. */
async function startReplicas(count: number, pace: Pace): Promise<void> {
  await api.admin.apply(path, configuration([]));
  const pods = Array.from({ length: count }, (_one, index) => `operator-${index}`);
  replicas = await Promise.all(pods.map((pod) => start(pod, pace)));
  await api.admin.apply(path, configuration(replicas.map(({ webhookPort }) => webhookPort)));
  await until(async () => ((await Promise.all(replicas.map(isReady))).every(Boolean) ? true : undefined));
}

function start(pod: string, pace: Pace): Promise<Operator> {
  const ports = { REKEY_WEBHOOK_PORT: '0', REKEY_HEALTH_PORT: '0' };
  return startOperator({
    config: parseConfig({ REKEY_NAMESPACE: namespace, REKEY_SIDECAR_IMAGE: 'sidecar:1', REKEY_POD: pod, ...ports }),
    kubernetes: api.admin,
    log: () => {},
    registry: new Registry(),
    drainMilliseconds: 0,
    pace,
    startController: () => ({
      state: { synced: () => true, credentials: () => [], stores: () => [], namespaceLabels: () => ({}) },
      stop: () => {},
    }),
  });
}

function configuration(ports: readonly number[]): object {
  const webhooks = ports.map((port, index) => ({
    name: `replica-${index}.rekey.dev`,
    admissionReviewVersions: ['v1'],
    clientConfig: { service: { name: 'rekey-operator', namespace, path: '/mutate', port } },
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], scope: 'Namespaced' }],
    failurePolicy: 'Fail',
    sideEffects: 'None',
  }));
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'rekey-operator' },
    webhooks,
  };
}

const isReady = async ({ healthPort }: Operator): Promise<boolean> => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).status === 200;

async function bundle(): Promise<string> {
  const { webhooks = [] } = (await api.admin.read<WebhookConfiguration>(path)) ?? { webhooks: [] };
  return Buffer.from(webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
}

interface Served {
  certificate: string;
  authority: string;
}

/** One admission over a TLS connection of its own. Rejects when `ca` does not verify it. */
function admit({ webhookPort: port }: Operator, ca: string): Promise<Served> {
  const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { uid: 'one', operation: 'UPDATE' } };
  const options = { host: '127.0.0.1', port, servername: `rekey-operator.${namespace}.svc`, path: '/mutate', method: 'POST', agent: false };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, ca, headers: { 'content-type': 'application/json' } }, (response) => {
      servedBy(response).then(resolve, reject);
    });
    sent.once('error', reject).end(JSON.stringify(review));
  });
}

async function servedBy(response: IncomingMessage): Promise<Served> {
  const { fingerprint256, issuer } = (response.socket as TLSSocket).getPeerCertificate();
  const { allowed } = (JSON.parse(await text(response)) as { response: { allowed: boolean } }).response;
  if (!allowed) throw new Error('not allowed');
  return { certificate: fingerprint256, authority: String(issuer.CN) };
}

/** By the API server, which keeps its connections and its own copy of the bundle. Resolves with what it says against it, if anything. */
async function createPod(): Promise<string[]> {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'any' }, spec: { containers: [{ name: 'any', image: 'any:1' }] } };
  const { status, message } = await api.ask({ method: 'POST', path: `/api/v1/namespaces/${namespace}/pods?dryRun=All`, body: pod });
  return status === 201 ? [] : [`API server: ${message}`];
}

/** The bundle as an API server has it that reads it three seconds late. */
function late(): (now: string) => string {
  const seen: { at: number; bundle: string }[] = [];
  return (now) => {
    seen.push({ at: performance.now(), bundle: now });
    while ((seen[1]?.at ?? Infinity) <= performance.now() - 3000) seen.shift();
    return seen[0]?.bundle ?? now;
  };
}

test(
  'with CAs of one minute, through three renewals and a roll-over of two replicas no admission fails',
  async () => {
    await startReplicas(2, { authority: 60_000, serving: 20_000, check: 1000, known: 5000 });
    const served = replicas.map(() => ({ certificate: new Set<string>(), authority: new Set<string>() }));
    const failed: string[] = [];
    const behind = late();
    let admissions = 0;
    const isOver = (): boolean =>
      admissions >= 1000 && served.every(({ certificate, authority }) => certificate.size >= 4 && authority.size >= 2);
    const count = async (index: number, ca: string): Promise<void> => {
      const { certificate, authority } = await admit(replicas[index] as Operator, ca);
      served[index]?.certificate.add(certificate);
      served[index]?.authority.add(authority);
    };
    while (!isOver() && failed.length === 0) {
      const now = await bundle();
      for (const ca of [now, behind(now)]) {
        for (const index of served.keys()) await count(index, ca).catch((error: Error) => failed.push(`new connection: ${error.message}`));
      }
      failed.push(...(await createPod()));
      admissions += 3 * replicas.length;
      await sleep(50);
    }
    expect(failed).toEqual([]);
  },
  patience,
);

test(
  'a bundle that somebody has emptied has the CAs of all replicas again, without waiting for the next check',
  async () => {
    await startReplicas(2, { check: 3_600_000 });
    const empty = { webhooks: replicas.map((_replica, index) => ({ name: `replica-${index}.rekey.dev`, clientConfig: { caBundle: '' } })) };
    await api.admin.patch(path, empty, 'application/strategic-merge-patch+json');
    const served = await until(async () => {
      const now = await bundle();
      return Promise.all(replicas.map((replica) => admit(replica, now)));
    });
    expect(new Set(served.map(({ authority }) => authority)).size).toBe(2);
    await until(async () => ((await createPod()).length === 0 ? true : undefined));
  },
  patience,
);

test(
  'a replica that is started again, without a file or a Secret, is ready once the API server has its new CA, and takes no other away',
  async () => {
    await startReplicas(2, {});
    const seen = new Set<string>();
    for (let round = 0; round < 3; round += 1) {
      await replicas.pop()?.stop();
      const next = await start('operator-1', {});
      replicas.push(next);
      await until(async () => ((await isReady(next)) ? true : undefined));
      const now = await bundle();
      const served = await Promise.all(replicas.map((replica) => admit(replica, now)));
      seen.add(served.map(({ authority }) => authority).join());
    }
    expect(seen.size).toBe(3);
  },
  patience,
);
