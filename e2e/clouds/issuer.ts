import { readFileSync } from 'node:fs';
import https from 'node:https';
import { json } from 'node:stream/consumers';
import type { Issuer, Key } from './token.ts';

const account = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The issuer of the cluster that this runs in, asked of its API server; the keys are asked for again when a token names one that is not known. */
export async function clusterIssuer(): Promise<Issuer> {
  const { issuer } = (await ask('/.well-known/openid-configuration')) as { issuer: string };
  return { issuer, keys: async () => ((await ask('/openid/v1/jwks')) as { keys: Key[] }).keys };
}

async function ask(path: string): Promise<unknown> {
  const ca = readFileSync(`${account}/ca.crt`);
  const headers = { authorization: `Bearer ${readFileSync(`${account}/token`, 'utf8')}` };
  return new Promise((resolve, reject) => {
    const request = https.get({ host: 'kubernetes.default.svc', path, ca, headers }, (response) => {
      if (response.statusCode === 200) json(response).then(resolve, reject);
      else reject(new Error(`the API server answered ${response.statusCode} to ${path}`));
    });
    request.on('error', reject);
  });
}
