import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import { namespace, operatorName } from './cluster.ts';
import { pod, tools } from './fleet.ts';

const aSecond = 100;
const seconds = 10;

interface Configuration {
  metadata: { name: string };
  webhooks: { clientConfig: { caBundle: string } }[];
}

/**
 * Reviews as the API server puts them, at an even pace whether the ones before are answered or not. Resolves with the milliseconds that each took,
 * counted from when it was due.
 */
export async function admissions({ api: { admin }, environment }: Cluster): Promise<number[]> {
  const path = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${operatorName}`;
  const ca = Buffer.from((await admin.read<Configuration>(path))?.webhooks[0]?.clientConfig.caBundle ?? '', 'base64').toString();
  const agent = new https.Agent({ keepAlive: true, ca, servername: `${operatorName}.${namespace}.svc` });
  const url = `https://127.0.0.1:${environment['REKEY_WEBHOOK_PORT'] ?? ''}/mutate`;
  await Promise.all(Array.from({ length: 4 }, (_, n) => review(url, agent, n)));
  const began = performance.now();
  const taken = Array.from({ length: aSecond * seconds }, async (_, n) => {
    const due = began + (n * 1000) / aSecond;
    await pause(Math.max(0, due - performance.now()));
    await review(url, agent, n);
    return performance.now() - due;
  });
  return Promise.all(taken).finally(() => agent.destroy());
}

function review(url: string, agent: https.Agent, number: number): Promise<void> {
  const request = {
    uid: String(number),
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
  };
  const about = { operation: 'CREATE', namespace: tools, name: `mcp-${number}`, userInfo: { username: 'bench' }, dryRun: true };
  const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: { ...request, ...about, object: pod(number) } };
  const text = JSON.stringify(body);
  const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) };
  return new Promise((resolve, reject) => {
    const outgoing = https.request(url, { method: 'POST', agent, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (part: string) => (answer += part));
      response.once('end', () => (answer.includes('"patch"') ? resolve() : reject(new Error(`the webhook said ${answer.slice(0, 500)}`))));
    });
    outgoing.once('error', reject).end(text);
  });
}
