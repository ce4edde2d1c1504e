import { request } from 'node:https';
import { Registry } from 'prom-client';
import { parse } from 'yaml';
import type { Credential } from '@rekey/crds/credential.ts';
import { credentialSpec } from '@rekey/crds/credential.ts';
import { jsonLog } from '@rekey/lib/log.ts';
import { createAuthority, createServing } from '../certificate-authority.ts';
import { parseConfig } from '../config.ts';
import type { SecureServer } from '../server.ts';
import { startWebhookServer } from '../server.ts';
import { webhookApp } from './app.ts';
import { admissionMetrics } from './metrics.ts';

const credential = parse(`
metadata: {name: github, namespace: tools, creationTimestamp: "2026-11-01T00:00:00Z"}
spec:
  source: {vault: {path: mcp/github, key: token}}
  hosts: [api.github.com]
  inject: [{header: {name: Authorization}}]
  podSelector: {matchLabels: {app: mcp-github}}
`) as Credential;

let server: SecureServer;
let ca: string;
let registry: Registry;
let lines: string[];
let synced: boolean;
let draining: boolean;
let credentials: () => Credential[];

beforeEach(async () => {
  [registry, lines, synced, draining] = [new Registry(), [], true, false];
  credentials = () => [{ ...credential, spec: credentialSpec.parse(credential.spec) }];
  const authority = await createAuthority(new Date());
  ca = authority.cert;
  const state = {
    synced: () => synced,
    credentials: (namespace: string) => (namespace === 'tools' ? credentials() : []),
    stores: () => [],
    namespaceLabels: (name: string) => (name === 'new' ? undefined : {}),
  };
  const { sidecar } = parseConfig({ REKEY_NAMESPACE: 'rekey-system', REKEY_SIDECAR_IMAGE: 'sidecar:1' });
  const log = jsonLog((line) => lines.push(line));
  const app = webhookApp({ state, settings: sidecar, metrics: admissionMetrics(registry), log, draining: () => draining });
  server = await startWebhookServer(app, 0, await createServing(authority, ['rekey-operator.rekey-system.svc'], new Date()));
});
afterEach(() => server.close(0));

describe('an admission', () => {
  test('of a pod that a credential selects gets the sidecar', async () => {
    const { response } = await admit({});
    expect(response).toMatchObject({ uid: 'the-uid', allowed: true, patchType: 'JSONPatch' });
    expect(patchedPaths(response)).toContain('/spec/initContainers');
    expect(response.warnings).toBeUndefined();
  });

  test('of a dry run is answered like any other', async () => {
    expect(await admit({ dryRun: true })).toEqual(await admit({}));
  });

  test('of a pod that is not opted in changes nothing', async () => {
    const object = { ...pod(), metadata: { labels: { app: 'mcp-github' } } };
    expect((await admit({ object })).response).toEqual({ uid: 'the-uid', allowed: true });
  });

  test('that cannot be granted says the reason and what to do', async () => {
    const object = { ...pod(), spec: { ...pod().spec, hostNetwork: true } };
    const { response } = await admit({ object });
    expect(response).toEqual({
      uid: 'the-uid',
      allowed: false,
      status: { code: 403, reason: 'HostNetwork', message: expect.stringMatching(/^HostNetwork: .* remove hostNetwork$/u) as string },
    });
  });

  test('with something to say of it is granted with a warning', async () => {
    const [older] = credentials() as [Credential];
    const inject = older.spec.inject.map((place) => ({ ...place, when: 'Always' as const }));
    const metadata = { ...older.metadata, name: 'younger', creationTimestamp: '2026-11-02T00:00:00Z' };
    const younger = { ...older, metadata, spec: { ...older.spec, inject } };
    credentials = () => [younger, older];
    const { response } = await admit({});
    expect(response).toMatchObject({
      allowed: true,
      warnings: [expect.stringMatching(/^HostConflict: MCPCredential younger is left out/u)],
    });
  });

  test.each([
    ['an update', { operation: 'UPDATE' }],
    ['a deletion', { operation: 'DELETE', object: null }],
    ['a subresource', { subResource: 'ephemeralcontainers' }],
    ['another resource', { resource: { group: '', version: 'v1', resource: 'services' } }],
    ['a resource of the same name in another group', { resource: { group: 'metrics.k8s.io', version: 'v1', resource: 'pods' } }],
  ])('of %s is allowed untouched', async (_what, fields) => {
    expect((await admit(fields)).response).toEqual({ uid: 'the-uid', allowed: true });
  });

  test.each([
    ['no object', null],
    ['a list', []],
    ['no metadata', { spec: pod().spec }],
    ['containers that are none', { ...pod(), spec: { containers: [null] } }],
    ['containers in a string', { ...pod(), spec: { containers: 'server' } }],
  ])('of %s is refused, since a pod without its sidecar must not start', async (_what, object) => {
    const { response } = await admit({ object });
    expect(response).toMatchObject({ uid: 'the-uid', allowed: false, status: { reason: 'PodInvalid' } });
  });

  test('is refused when our own state fails', async () => {
    credentials = () => {
      throw new Error('s3cret');
    };
    const { response } = await admit({});
    expect(response).toMatchObject({ allowed: false, status: { code: 500 } });
    expect(JSON.stringify(response) + lines.join('')).not.toContain('s3cret');
  });
});

describe('before the caches know enough', () => {
  test('nothing is admitted until they have synced', async () => {
    synced = false;
    expect((await post(review({}))).status).toBe(503);
  });

  test('nothing is admitted to a namespace that they have not heard of', async () => {
    expect((await post(review({ namespace: 'new' }))).status).toBe(503);
  });
});

describe('a request', () => {
  test.each([
    ['is not JSON', '{', 400],
    ['is empty', '', 400],
    ['is no object', '[]', 400],
    ['is another kind', JSON.stringify({ apiVersion: 'v1', kind: 'Pod' }), 400],
    ['is another version', review({}, 'admission.k8s.io/v1beta1'), 400],
    ['has no uid', review({ uid: undefined }), 400],
    ['has an empty uid', review({ uid: '' }), 400],
    ['is larger than 3 MiB', `"${'x'.repeat(3 * 1024 * 1024 - 1)}"`, 413],
  ])('that %s is answered without its text', async (_what, text, status) => {
    const answer = await post(text);
    expect(answer.status).toBe(status);
    expect(answer.text).toBe({ 400: 'Bad Request', 413: 'Payload Too Large' }[status]);
  });

  test('that is no JSON is not repeated in a log', async () => {
    await post('{"token": "s3cret"');
    expect(lines.join('')).not.toContain('s3cret');
  });

  test('of 3 MiB is read', async () => {
    const text = review({ object: { ...pod(), padding: '' } });
    const padded = text.replace('"padding":""', `"padding":"${'x'.repeat(3 * 1024 * 1024 - text.length)}"`);
    expect((await post(padded)).status).toBe(200);
  });

  test('that nests 100,000 levels deep leaves the server running', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const text = review({ object: { ...pod(), spec: { ...pod().spec, deep: 0 } } }).replace(
      '"deep":0',
      `"securityContext":{"deep":${deep}}`,
    );
    expect((await post(text)).status).toBe(200);
    expect((await admit({})).response.allowed).toBe(true);
  });

  test('to another path is not found', async () => {
    expect(await post('{}', '/secrets')).toMatchObject({ status: 404, text: 'Not Found' });
  });
});

test('admissions are counted by result and reason', async () => {
  await admit({});
  await admit({ object: { ...pod(), spec: { ...pod().spec, hostNetwork: true } } });
  await post('{');
  const text = await registry.metrics();
  expect(text).toContain('rekey_admissions_total{result="injected",reason=""} 1');
  expect(text).toContain('rekey_admissions_total{result="refused",reason="HostNetwork"} 1');
  expect(text).toContain('rekey_admissions_total{result="invalid",reason=""} 1');
  expect(text).toContain('rekey_admission_seconds_count 2');
});

test('while it stops, each answer ends its connection', async () => {
  expect((await post(review({}))).connection).not.toBe('close');
  draining = true;
  expect((await post(review({}))).connection).toBe('close');
});

test('a client that trusts another CA does not connect', async () => {
  ca = (await createAuthority(new Date())).cert;
  await expect(post(review({}))).rejects.toMatchObject({ code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY/u) as string });
});

test('a new certificate serves from the next connection on', async () => {
  const authority = await createAuthority(new Date());
  server.setCertificate(await createServing(authority, ['rekey-operator.rekey-system.svc'], new Date()));
  ca = authority.cert;
  expect((await admit({})).response.allowed).toBe(true);
});

function pod(): { metadata: object; spec: { containers: object[] } } {
  return {
    metadata: { generateName: 'mcp-', labels: { app: 'mcp-github', 'rekey.dev/inject': 'true' } },
    spec: { containers: [{ name: 'server' }] },
  };
}

function review(fields: object, apiVersion = 'admission.k8s.io/v1'): string {
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const usual = { uid: 'the-uid', operation: 'CREATE', namespace: 'tools', resource, object: pod() };
  return JSON.stringify({ apiVersion, kind: 'AdmissionReview', request: { ...usual, ...fields } });
}

interface Reviewed {
  response: { uid: string; allowed: boolean; patch?: string; warnings?: string[] };
}

async function admit(fields: object): Promise<Reviewed> {
  const { status, text } = await post(review(fields));
  expect(status).toBe(200);
  return JSON.parse(text) as Reviewed;
}

function patchedPaths({ patch = '' }: Reviewed['response']): string[] {
  return (JSON.parse(Buffer.from(patch, 'base64').toString()) as { path: string }[]).map(({ path }) => path);
}

interface Answer {
  status: number;
  text: string;
  connection: string | undefined;
}

/** As the API server calls: by the Service's name, verified with the CA of the webhook configuration. */
function post(text: string, path = '/mutate'): Promise<Answer> {
  const options = { ca, port: server.port, servername: 'rekey-operator.rekey-system.svc', path, method: 'POST' };
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, host: '127.0.0.1', headers: { 'content-type': 'application/json' } }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: body, connection: response.headers.connection }));
    });
    sent.on('error', reject).end(text);
  });
}
