import { generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { freePort } from '@rekey/lib/free-port.fixture.ts';
import { kubernetes } from '../kubernetes.ts';
import type { Kubernetes } from '../kubernetes.ts';
import { builtProgram, startProcess, temporaryFolder, until } from '@rekey/lib/process.real.ts';
import type { RealProcess } from '@rekey/lib/process.real.ts';

export interface RealApiServer {
  /** Who may do anything. */
  admin: Kubernetes;
  /** The API server as somebody with this token. */
  as: (token: string) => Kubernetes;
  /** The same for a program: what its KUBECONFIG names. */
  kubeconfig: (token: string) => string;
  /** DELETE at once: no kubelet is there to end a pod. */
  remove: (path: string) => Promise<void>;
  /** One request, by the admin unless `token` says who; resolves with what the API server says of it. */
  ask: (request: Ask) => Promise<Said>;
  port: number;
  /** The admin by way of another port of loopback, which shows a certificate of `ca`; the server's own unless given. */
  at: (port: number, ca?: string) => Kubernetes;
  /** Ends the process, and starts another one at the same place; resolves when it answers. */
  restart: (signal: NodeJS.Signals) => Promise<void>;
  /** Verifies the tokens of service accounts. */
  publicKey: string;
  address: string;
  /** PEM certificate that it is verified with. */
  ca: string;
  stop: () => Promise<void>;
}

export interface Ask {
  method: 'POST' | 'PATCH' | 'DELETE';
  path: string;
  body: object;
  /** Of the body; application/json unless given. */
  type?: string;
  token?: string;
}

export interface Said {
  status: number;
  /** The message of the Status; empty when it is another object. */
  message: string;
  body: { [field: string]: unknown };
}

export const adminToken = 'admin-token';
const issuer = 'https://kubernetes.default.svc';

/** The real kube-apiserver over etcd, with our CRDs: no nodes and no controllers, so that pods are what a test says they are. `more` are further flags. */
export async function startApiServer(more: Record<string, string> = {}): Promise<RealApiServer> {
  const etcd = await startEtcd();
  const server = await serve(etcd, more).catch(ending(etcd));
  await installDefinitions(server.admin).catch(ending(server));
  return server;
}

/** What was started does not outlive what came after it and failed. */
function ending({ stop }: { stop: () => Promise<void> }): (error: unknown) => Promise<never> {
  return async (error) => {
    await stop();
    throw error;
  };
}

async function serve(etcd: Etcd, more: Record<string, string>): Promise<RealApiServer> {
  const folder = temporaryFolder('api-server');
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  writeFileSync(join(folder, 'sa.key'), privateKey);
  writeFileSync(join(folder, 'sa.pub'), publicKey);
  writeFileSync(join(folder, 'tokens.csv'), `${adminToken},admin,admin,system:masters\n`);
  const port = await freePort();
  const flags = {
    'etcd-servers': etcd.address,
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'cert-dir': folder,
    'token-auth-file': join(folder, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    'service-account-issuer': issuer,
    'service-account-key-file': join(folder, 'sa.pub'),
    'service-account-signing-key-file': join(folder, 'sa.key'),
    'service-cluster-ip-range': '10.96.0.0/16',
    'disable-admission-plugins': 'ServiceAccount',
    ...more,
  };
  const args = ['kube-apiserver', ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`)];
  const start = (): Promise<RealProcess> => startProcess({ name: builtProgram('kube'), arguments: args, folder });
  let server = await start();
  const ca = await server.until(() => readFileSync(join(folder, 'apiserver.crt'), 'utf8'));
  const address = `https://127.0.0.1:${port}`;
  const configurationOf = (token: string): KubeConfig => configuration(address, ca, token);
  const as = (token: string): Kubernetes => kubernetes(configurationOf(token));
  const at = (other: number, itsCa = ca): Kubernetes => kubernetes(configuration(`https://127.0.0.1:${other}`, itsCa, adminToken));
  const admin = as(adminToken);
  await server.until(() => admin.read('/api/v1/namespaces/default'));
  const stop = async (): Promise<void> => {
    await server.stop();
    await etcd.stop();
  };
  const restart = async (signal: NodeJS.Signals): Promise<void> => {
    await server.end(signal);
    server = await start();
    await server.until(async () => ((await admin.get('/readyz', AbortSignal.timeout(5000))).status === 200 ? true : undefined));
  };
  const ask = (asked: Ask): Promise<Said> => send(`${address}${asked.path}`, ca, asked);
  const remove = async (path: string): Promise<void> => {
    await ask({ method: 'DELETE', path, body: { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 } });
  };
  const kubeconfig = (token: string): string => configurationOf(token).exportConfig();
  return { admin, as, at, kubeconfig, ask, remove, restart, publicKey, address, port, ca, stop };
}

async function send(url: string, ca: string, { method, body, type = 'application/json', token = adminToken }: Ask): Promise<Said> {
  const sent = JSON.stringify(body);
  const headers = { authorization: `Bearer ${token}`, 'content-type': type, 'content-length': String(Buffer.byteLength(sent)) };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(url, { method, ca, headers, agent: false }, resolve);
    outgoing.once('error', reject).end(sent);
  });
  const object = JSON.parse(await text(response)) as Said['body'];
  const message = object['kind'] === 'Status' && typeof object['message'] === 'string' ? object['message'] : '';
  return { status: response.statusCode ?? 0, message, body: object };
}

/** As kubeadm sets it: from this the API server makes the bookmarks by which a watch is known to live. */
const progress = '--experimental-watch-progress-notify-interval=5s';

interface Etcd {
  address: string;
  stop: () => Promise<void>;
}

async function startEtcd(): Promise<Etcd> {
  const folder = temporaryFolder('etcd');
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const urls = { 'listen-client-urls': client, 'advertise-client-urls': client, 'listen-peer-urls': peer };
  const args = Object.entries({ ...urls, 'data-dir': folder }).map(([flag, value]) => `--${flag}=${value}`);
  const { stop } = await startProcess({ name: 'etcd', arguments: [...args, '--unsafe-no-fsync', progress], folder });
  return { address: client, stop };
}

function configuration(server: string, ca: string, token: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'real', server, caData: Buffer.from(ca).toString('base64'), skipTLSVerify: false },
    { name: 'user', token },
  );
  return config;
}

async function installDefinitions(admin: Kubernetes): Promise<void> {
  const folder = new URL('../../../charts/rekey/templates/crds/', import.meta.url);
  for (const file of readdirSync(folder)) {
    const definition = parse(readFileSync(new URL(file, folder), 'utf8')) as { metadata: { name: string } };
    await admin.apply(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${definition.metadata.name}`, definition);
  }
  for (const plural of ['mcpcredentials', 'mcpcredentialstores', 'mcpcredentialbindings'])
    await until(() => admin.read(`/apis/rekey.dev/v1alpha1/${plural}?limit=1`));
}
