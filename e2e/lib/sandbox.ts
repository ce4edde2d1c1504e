import { apply, kubectl, pods } from './kube.ts';
import type { Pod } from './kube.ts';
import { ensureImages } from './images.ts';
import { namespace } from './stack.ts';
import { until } from './run.ts';
import { ask } from './web.ts';

/**
 * A server of a few lines in a pod that Rekey injects: it answers each `GET /call?path=…` by calling api.github.com with what
 * stands in its environment, as an MCP server would. For the faults, which need no MCP.
 */
const program = `
require('http').createServer(async (request, response) => {
  const query = new URL(request.url, 'http://x').searchParams;
  const url = (query.get('origin') || 'https://api.github.com') + (query.get('path') || '/user');
  const headers = { authorization: 'Bearer ' + process.env.GITHUB_TOKEN, 'user-agent': 'probe' };
  try {
    const answer = await fetch(url, { headers, redirect: 'manual' });
    const text = await answer.text();
    response.end(JSON.stringify({ status: answer.status, reason: answer.headers.get('rekey-error'), retryAfter: answer.headers.get('retry-after'), location: answer.headers.get('location'), body: text.slice(0, 2000) }));
  } catch (error) {
    response.end(JSON.stringify({ status: 0, reason: null, retryAfter: null, location: null, body: String(error.cause && error.cause.code || error) }));
  }
}).listen(8000);
`;

export interface Answer {
  status: number;
  reason: string | null;
  retryAfter: string | null;
  location: string | null;
  body: string;
}

export interface PodChanges {
  labels?: Record<string, string>;
  spec?: Record<string, unknown>;
  container?: Record<string, unknown>;
}

/** The probe as a pod; `changes` are merged over it. */
export async function probePod(space: string, name: string, { labels = {}, spec = {}, container = {} }: PodChanges = {}): Promise<object> {
  const { servers } = await ensureImages(['servers']);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: space, labels: { app: name, 'rekey.dev/inject': 'true', ...labels } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'server',
          image: servers,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', program],
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
          resources: { requests: { cpu: '10m', memory: '48Mi' }, limits: { memory: '192Mi' } },
          ...container,
        },
      ],
      ...spec,
    },
  };
}

/** An MCPCredential for the probes labelled `app: NAME`; `spec` is merged over the good one. */
export function githubCredential(space: string, name: string, spec: Record<string, unknown> = {}): object {
  return {
    apiVersion: 'rekey.dev/v1alpha1',
    kind: 'MCPCredential',
    metadata: { name, namespace: space },
    spec: {
      source: { vault: { path: `mcp/${space}-${name}`, key: 'token' } },
      hosts: ['api.github.com'],
      inject: [{ header: { name: 'Authorization', prefix: 'Bearer ' } }],
      env: [{ name: 'GITHUB_TOKEN' }],
      podSelector: { matchLabels: { app: name } },
      ...spec,
    },
  };
}

/** A namespace of its own for one test file, empty. */
export async function sandbox(space: string): Promise<void> {
  await kubectl('delete', 'namespace', space, '--ignore-not-found', '--wait', '--timeout=120s');
  await namespace(space);
}

/** Waits until the pod's server answers, and resolves with a function that makes it call. */
export async function caller(space: string, name: string): Promise<(query?: string) => Promise<Answer>> {
  const pod = await runningPod(space, name);
  const call = async (query = ''): Promise<Answer> => (await ask(`http://${pod.status.podIP}:8000/call${query}`)).json as Answer;
  await until(`${space}/${name} answers`, 60, async () => ((await call()) === undefined ? undefined : true));
  return call;
}

export async function runningPod(space: string, name: string): Promise<Pod> {
  return until(`${space}/${name} runs`, 120, async () =>
    (await pods(space)).find((pod) => pod.metadata.name === name && pod.status.phase === 'Running' && pod.status.podIP !== undefined),
  );
}

export async function startProbe(space: string, name: string, changes: PodChanges = {}): Promise<(query?: string) => Promise<Answer>> {
  await apply([await probePod(space, name, changes)]);
  return caller(space, name);
}
