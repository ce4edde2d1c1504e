import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { parseJson } from '@rekey/lib/body.ts';
import type { Get } from '@rekey/lib/watch.ts';

export interface Means {
  address: string;
  ca: string;
  adminToken: string;
  namespace: string;
  vault: { address: string; ca: string; token: string };
}

interface Asked extends Pick<https.RequestOptions, 'method' | 'ca' | 'signal'> {
  headers: Record<string, string>;
  body?: object;
}

/** What the played sidecars ask, over connections that they share. */
export interface Requester {
  get: Get;
  /** The token of one pod, made when it is first wanted. */
  tokenOf: (pod: string, uid: string) => () => Promise<string>;
  applyStatus: (path: string, object: object, token: string) => Promise<{ status: number; body: unknown }>;
  secret: (name: string) => Promise<{ version: string; createdAt: string }>;
}

export function requester({ address, ca, adminToken, namespace, vault }: Means): Requester {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
  const call = (url: string, { body, headers, ...options }: Asked): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const sent = body === undefined ? undefined : JSON.stringify(body);
      const length = sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) };
      const outgoing = https.request(url, { agent, ...options, headers: { ...headers, ...length } }, resolve);
      outgoing.once('error', reject).end(sent);
    });
  const bearer = (token: string, type = 'application/json'): Record<string, string> => ({
    authorization: `Bearer ${token}`,
    'content-type': type,
  });
  return {
    get: async (path, signal) => {
      const body = await call(`${address}${path}`, { ca, headers: bearer(adminToken), signal });
      return { status: body.statusCode ?? 0, body };
    },
    tokenOf: (name, uid) => {
      let held: Promise<string> | undefined;
      const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name, uid };
      const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200, boundObjectRef } };
      const url = `${address}/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
      return async () =>
        (held ??= call(url, { method: 'POST', ca, headers: bearer(adminToken), body })
          .then(text)
          .then((answer) => (JSON.parse(answer) as { status: { token: string } }).status.token));
    },
    applyStatus: async (path, body, token) => {
      const url = `${address}${path}?fieldManager=rekey-sidecar&force=true`;
      const response = await call(url, { method: 'PATCH', ca, headers: bearer(token, 'application/apply-patch+yaml'), body });
      return { status: response.statusCode ?? 0, body: parseJson(await text(response)) };
    },
    secret: async (name) => {
      const response = await call(`${vault.address}/v1/kv/data/mcp/${name}`, { ca: vault.ca, headers: { 'x-vault-token': vault.token } });
      const { data } = JSON.parse(await text(response)) as { data: { metadata: { version: number; created_time: string } } };
      return { version: String(data.metadata.version), createdAt: data.metadata.created_time };
    },
  };
}
