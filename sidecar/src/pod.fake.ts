// What the front-door tests stand on: a real sidecar on 127.0.0.1, real https upstreams on 127.0.0.2 (the same port, another
// address), and a credential whose source is a few fields. Nothing is mocked but the source.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http';
import https from 'node:https';
import type { RequestOptions } from 'node:https';
import type { AddressInfo, LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { CredentialSpec } from '@rekey/crds/credential.ts';
import { Failure } from '@rekey/lib/reason.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import { SecretValue } from '@rekey/lib/secret-value.ts';
import type { KeyPair } from './tls/certificate.ts';
import type { Config } from './config.ts';
import type { Grant, LiveCredential } from './credential/credential.ts';
import type { CredentialsContext } from './credential/credentials.ts';
import { issue } from './tls/issue.ts';
import type { Sidecar, SidecarOptions } from './start.ts';
import { startSidecar } from './start.ts';

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A credential whose newest version is `newest`, and that has `held` in memory. */
export class FakeCredential implements LiveCredential {
  readonly name: string;
  current: CredentialSpec | undefined;
  held = '7';
  newest = '7';
  cold = false;
  failing: Reason | undefined;
  reads = 0;
  grants = 0;
  reports: [string, boolean][] = [];

  constructor(name: string, spec: Partial<CredentialSpec> & Pick<CredentialSpec, 'hosts'>) {
    this.name = name;
    this.current = {
      source: { vault: { path: name, key: 'token' } },
      storeRef: { name: 'default' },
      version: '',
      inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
      refused: [{ status: 401 }],
      env: [],
      podSelector: { matchLabels: { app: name } },
      cacheTTLSeconds: 60,
      maxStaleSeconds: 300,
      suspend: false,
      ...spec,
    };
  }

  spec(): CredentialSpec | undefined {
    return this.current;
  }

  /** The value of every version, where a test needs a particular one. */
  given: string | undefined;

  /** Of basic authentication, where the secret holds one. */
  user: string | undefined;

  #secret(version: string): SecretValue {
    return new SecretValue(this.value(version), this.user === undefined ? undefined : new SecretValue(this.user));
  }

  /** Distinct from each other and from everything else in a request. */
  value(version: string): string {
    return this.given ?? `sk-${this.name}-${version}-6f1d/+ =`.trim();
  }

  grant(): Grant | Promise<Grant> {
    this.grants += 1;
    if (this.failing !== undefined) throw new Failure(this.failing);
    const grant: Grant = { value: this.#secret(this.held), version: this.held, cache: this.cold ? 'miss' : 'hit' };
    return this.cold ? Promise.resolve(grant) : grant;
  }

  age(): number | undefined {
    return 12;
  }

  async grantAfterRefusal(version: string): Promise<Grant> {
    if (version === this.held) this.reads += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (this.failing !== undefined) throw new Failure(this.failing);
    this.held = this.newest;
    return { value: this.#secret(this.held), version: this.held, cache: 'miss' };
  }

  report(version: string, accepted: boolean): void {
    this.reports.push([version, accepted]);
  }

  /** Calls that have begun and not ended, by version. */
  underWay = new Map<string, number>();
  /** The fields of answers, by version. */
  answers: [string, readonly string[]][] = [];

  began(version: string): void {
    this.underWay.set(version, (this.underWay.get(version) ?? 0) + 1);
  }

  ended(version: string): void {
    this.underWay.set(version, (this.underWay.get(version) ?? 0) - 1);
  }

  answered(version: string, fields: readonly string[]): void {
    this.answers.push([version, fields]);
  }
}

export interface FakePod {
  port: number;
  host: string;
  credentials: FakeCredential[];
  credential: FakeCredential;
  sidecar: Sidecar;
  /** Answers the calls; set anew by each test. */
  handler: Handler;
  /** A read of github's source is over. */
  sourceRead: (outcome: 'ok' | Reason, seconds: number) => void;
  /** Lines of the audit so far, parsed; `flushed()` waits until as many are there. */
  audit: Record<string, unknown>[];
  flushed(lines: number): Promise<void>;
  /** All that the sidecar wrote to its log and audit. */
  written: string;
  upstream: Server;
  folder: string;
  /** The CA of the upstream. */
  authority: KeyPair;
  /** Like a client in the pod: trusts the pod's CA, dials loopback. */
  request(options: RequestOptions): ReturnType<typeof https.request>;
  stop(): Promise<void>;
}

export const placeholder = 'rekey-placeholder-github';
const host = 'api.github.test';
export const otherHost = 'api.notion.test';

/** A pod with the credentials `github` and `notion`, both behind one upstream. */
/** What else a test wants of the credential `github`: its hosts are given with the port of the upstream. */
export interface PodOptions extends Partial<SidecarOptions> {
  /** Of the audit; `ca` is one more CA to trust. */
  collector?: { url: string; ca?: string };
  github?: (port: number) => Partial<CredentialSpec>;
}

export async function startPod({ github, collector, ...options }: PodOptions = {}): Promise<FakePod> {
  const folder = mkdtempSync(join(tmpdir(), 'rekey-pod-'));
  const pki = await issue({ hosts: [host, otherHost], now: Date.now() });
  const upstream = https.createServer({ key: pki.leaf.key, cert: pki.leaf.certificate }, (request, response) =>
    pod.handler(request, response),
  );
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.2', resolve));
  const { port } = upstream.address() as AddressInfo;
  const credential = new FakeCredential('github', { hosts: [`${host}:${port}`], ...github?.(port) });
  const credentials = [credential, new FakeCredential('notion', { hosts: [`${otherHost}:${port}`] })];
  const audit: Record<string, unknown>[] = [];
  let sourceRead: CredentialsContext['onRead'];
  const sidecar = await startSidecar({
    config: configOf(credentials, [pki.ca.certificate, collector?.ca ?? ''].join('\n'), collector?.url),
    log: (level, message, fields) => {
      pod.written += JSON.stringify([level, message, fields]);
    },
    caFolder: folder,
    trustFolder: folder,
    healthPort: 0,
    lookup: toUpstream,
    credentials: ({ onRead }) => {
      sourceRead = onRead;
      return { list: () => credentials, onChange: () => {}, stop: () => Promise.resolve() };
    },
    auditWrite: (bytes, done) => {
      const text = bytes.toString();
      pod.written += text;
      for (const line of text.trim().split('\n')) audit.push(JSON.parse(line) as Record<string, unknown>);
      done(null, bytes.length);
    },
    ...options,
  });
  const agent = new https.Agent({ ca: readFileSync(join(folder, 'ca.crt')), keepAlive: true });
  const pod: FakePod = {
    port,
    host: `${host}:${port}`,
    credential,
    credentials,
    sidecar,
    handler: (_request, response) => void response.end('ok'),
    sourceRead: (outcome, seconds) => sourceRead?.('github', outcome, seconds),
    audit,
    flushed: (lines) => until(() => audit.length >= lines),
    written: '',
    upstream,
    folder,
    authority: pki.ca,
    request: (request) =>
      https.request({ host: '127.0.0.1', port, servername: host, setHost: false, agent, ...request, headers: withHost(request, port) }),
    stop: async () => {
      agent.destroy();
      await sidecar.stop(1000);
      upstream.closeAllConnections();
      await new Promise((resolve) => upstream.close(resolve));
      rmSync(folder, { recursive: true });
    },
  };
  return pod;
}

function withHost({ headers, servername = host }: RequestOptions, port: number): readonly string[] | IncomingHttpHeaders {
  if (Array.isArray(headers)) return headers as string[];
  return { host: `${servername}:${port}`, ...(headers as IncomingHttpHeaders | undefined) };
}

/** As for the real lookup, all addresses or one. */
const toUpstream: LookupFunction = (_name, { all }, callback) => {
  if (all === true) process.nextTick(callback, null, [{ address: '127.0.0.2', family: 4 }]);
  else process.nextTick(callback, null, '127.0.0.2', 4);
};

export function configOf(credentials: readonly FakeCredential[], extraCA: string | undefined, auditOTLP?: string): Config {
  const specs = credentials.flatMap(({ name, current }) => (current === undefined ? [] : [{ name, spec: current }]));
  return {
    namespace: 'tools',
    pod: 'mcp-github-0',
    podUID: 'c0ffee',
    serviceAccount: 'mcp',
    extraCA,
    logLevel: 'info',
    auditOTLP,
    kubernetes: { host: '127.0.0.1', port: 1 },
    identity: '/nowhere',
    secrets: '/nowhere',
    snapshot: { credentials: specs, stores: [] },
  };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  trailers: NodeJS.Dict<string>;
  body: Buffer;
}

/** One call, to its end. */
export async function call(pod: FakePod, options: RequestOptions = {}, body?: string | Buffer): Promise<Answer> {
  const response = await answerTo(pod.request(options).end(body));
  const bytes = await buffer(response);
  const { statusCode = 0, headers, rawHeaders, trailers } = response;
  return { status: statusCode, headers, rawHeaders, trailers, body: bytes };
}

/** A call that carries the placeholder where it belongs. */
export const bearer = { authorization: `Bearer ${placeholder}` };

export function answerTo(request: ReturnType<typeof https.request>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5));
}
