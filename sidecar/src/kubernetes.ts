import type { ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import { parseJson, readText } from '@rekey/lib/body.ts';
import type { Get } from '@rekey/lib/watch.ts';

export interface KubernetesContext {
  host: string;
  port: number;
  /** PEM certificates of the API server's authority. Read again with the token: both may be replaced while the pod runs. */
  ca: () => Promise<string>;
  /** The pod's own token. The kubelet replaces it; a copy is used for a minute at most. */
  token: () => Promise<string>;
  now: () => number;
}

export interface Kubernetes {
  get: Get;
  /** Server-side apply of one object's status, taking over fields that others hold. Resolves with any answer, rejects without one. */
  applyStatus: (path: string, object: object, signal: AbortSignal) => Promise<{ status: number; body: unknown }>;
  close(): void;
}

interface Request {
  method: string;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

const tokenMilliseconds = 60_000;
const answerMilliseconds = 30_000;
const mostBytes = 1024 * 1024;
export const fieldManager = 'rekey-sidecar';

/** The API server over kept connections: no redirects, no more than what the sidecar needs. */
export function kubernetes(context: KubernetesContext): Kubernetes {
  const agent = new https.Agent({ keepAlive: true, maxFreeSockets: 2 });
  const identity = credentialsOf(context);

  async function request(path: string, options: Request, body?: string): Promise<IncomingMessage> {
    const { token, ca } = await identity.read();
    const { host, port } = context;
    const headers = { ...options.headers, accept: 'application/json', authorization: `Bearer ${token}` };
    const response = await send(https.request({ ...options, host: bare(host), port, path, agent, ca, headers }), body);
    if (response.statusCode === 401) identity.forget();
    return response;
  }

  return {
    async get(path, signal) {
      const response = await request(path, { method: 'GET', signal });
      return { status: response.statusCode ?? 0, body: response };
    },
    async applyStatus(path, object, signal) {
      // JSON is YAML.
      const body = JSON.stringify(object);
      const headers = { 'content-type': 'application/apply-patch+yaml', 'content-length': String(Buffer.byteLength(body)) };
      const within = AbortSignal.any([signal, AbortSignal.timeout(answerMilliseconds)]);
      const query = `?fieldManager=${fieldManager}&force=true`;
      const response = await request(path + query, { method: 'PATCH', headers, signal: within }, body);
      return {
        status: response.statusCode ?? 0,
        body: parseJson(await readText(response, mostBytes, () => new RangeError('the answer is too large'))),
      };
    },
    close: () => agent.destroy(),
  };
}

interface Identity {
  token: string;
  ca: string;
}

function credentialsOf({ ca, token, now }: KubernetesContext): { read: () => Promise<Identity>; forget: () => void } {
  let held: Identity | undefined;
  let readAt = 0;
  return {
    async read() {
      if (held !== undefined && now() - readAt < tokenMilliseconds) return held;
      const [tokenText, caText] = await Promise.all([token(), ca()]);
      held = { token: tokenText.trim(), ca: caText };
      readAt = now();
      return held;
    },
    forget() {
      held = undefined;
    },
  };
}

function send(request: ClientRequest, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

/** An IPv6 address comes in brackets from some and without from others; a socket wants none. */
function bare(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
