import type { Server } from './fleet.ts';

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

export const namespace = 'tools';
export const image = 'rekey.test/mcp-servers:dev';
export const port = 8000;

/** What the Pod Security profile `restricted` asks of a pod and of each container. */
export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  seccompProfile: { type: 'RuntimeDefault' },
};
export const containerSecurity = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };

/** The Deployment and the Service of a server, as a user has them before Rekey but for the label that opts in. */
export function serverObjects(server: Server): KubernetesObject[] {
  return [deployment(server), service(server)];
}

/** `reference`: the `source` of its spec, and whatever else differs from what is usual: `storeRef`, `via`. */
export function credentialObject(server: Server, reference: object): KubernetesObject {
  const { host, inject, refused, credential, placeholder } = server;
  return {
    apiVersion: 'rekey.dev/v1alpha1',
    kind: 'MCPCredential',
    metadata: { name: server.name, namespace },
    spec: {
      ...reference,
      hosts: [host],
      inject,
      refused,
      env: [{ name: credential, ...(placeholder === undefined ? {} : { placeholder }) }],
      podSelector: { matchLabels: { app: app(server) } },
    },
  };
}

/** The Secret that `fromSecret` servers name; it holds a value only where Rekey is not in use. */
export function secretName(server: Server): string {
  return `${app(server)}-credential`;
}

function app(server: Server): string {
  return `mcp-${server.name}`;
}

function deployment(server: Server): KubernetesObject {
  const labels = { app: app(server) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app(server), namespace, labels },
    spec: {
      replicas: 1,
      progressDeadlineSeconds: 300,
      selector: { matchLabels: labels },
      template: { metadata: { labels: { ...labels, 'rekey.dev/inject': 'true' } }, spec: podSpec(server) },
    },
  };
}

function podSpec(server: Server): object {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 10,
    securityContext: podSecurity,
    containers: [
      {
        name: 'server',
        image,
        imagePullPolicy: 'IfNotPresent',
        // At its default level supergateway logs every message whole, which costs a third of its CPU.
        args: ['--logLevel', 'none', '--stdio', server.command],
        env: env(server),
        ports: [{ name: 'mcp', containerPort: port }],
        readinessProbe: { httpGet: { path: '/healthz', port: 'mcp' }, periodSeconds: 3, timeoutSeconds: 5 },
        resources: { requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '384Mi' } },
        securityContext: containerSecurity,
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      },
    ],
    volumes: [{ name: 'tmp', emptyDir: {} }],
  };
}

function env(server: Server): object[] {
  const extra = Object.entries(server.env).map(([name, value]) => ({ name, value }));
  if (!server.fromSecret) return extra;
  const secretKeyRef = { name: secretName(server), key: server.secret.key, optional: true };
  return [...extra, { name: server.credential, valueFrom: { secretKeyRef } }];
}

function service(server: Server): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app(server), namespace, labels: { app: app(server) } },
    spec: { selector: { app: app(server) }, ports: [{ name: 'mcp', port, targetPort: 'mcp' }] },
  };
}
