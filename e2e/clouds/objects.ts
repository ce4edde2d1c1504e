import { containerSecurity, podSecurity } from '../servers/objects.ts';
import type { KubernetesObject } from '../servers/objects.ts';

export interface Cloud {
  /** Of the namespace and of all in it. */
  name: string;
  image: string;
  /** For all names that the cloud has on the internet. */
  certificate: { key: string; cert: string };
}

/** One pod behind a Service: 443 for the cloud's API, 8080 for its owner. It asks the API server for the keys that the cluster's tokens are signed with. */
export function cloudObjects({ name, image, certificate: { key, cert } }: Cloud): (KubernetesObject | object)[] {
  const labels = { app: name };
  const metadata = { name, namespace: name, labels };
  const ports = [
    { name: 'https', port: 443, targetPort: 8443 },
    { name: 'control', port: 8080, targetPort: 8080 },
  ];
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', stringData: { 'tls.key': key, 'tls.crt': cert } },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        strategy: { type: 'Recreate' },
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec(name, image) },
      },
    },
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: labels, ports } },
  ];
}

function podSpec(name: string, image: string): object {
  return {
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 5,
    securityContext: podSecurity,
    containers: [
      {
        name,
        image,
        imagePullPolicy: 'IfNotPresent',
        ports: [{ containerPort: 8443 }, { containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 2, timeoutSeconds: 5 },
        // As with the vault: a fleet that starts takes every processor.
        resources: { requests: { cpu: '200m', memory: '192Mi' }, limits: { memory: '512Mi' } },
        securityContext: containerSecurity,
        volumeMounts: [
          { name: 'certificate', mountPath: '/etc/cloud', readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      { name: 'certificate', secret: { secretName: name, defaultMode: 0o440 } },
      { name: 'tmp', emptyDir: {} },
    ],
  };
}
