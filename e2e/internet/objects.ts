import { containerSecurity, podSecurity } from '../servers/objects.ts';
import type { KubernetesObject } from '../servers/objects.ts';

export const namespace = 'internet';
export const image = 'rekey.test/internet:dev';

const labels = { app: 'internet' };
const metadata = { name: 'internet', namespace, labels };
const secret = 'internet-certificates';

/**
 * One pod behind the Service `internet`: 443 for the APIs, 8080 for control.
 * `certificates`: the files that ca.sh leaves in `leaves`, by name.
 */
export function internetObjects(certificates: Record<string, string>): KubernetesObject[] {
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, name: secret }, type: 'Opaque', stringData: certificates },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: podSpec } },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector: labels,
        ports: [
          { name: 'https', port: 443, targetPort: 'https' },
          { name: 'control', port: 8080, targetPort: 'control' },
        ],
      },
    },
  ];
}

const podSpec = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: 5,
  securityContext: podSecurity,
  containers: [
    {
      name: 'internet',
      image,
      imagePullPolicy: 'IfNotPresent',
      ports: [
        { name: 'https', containerPort: 8443 },
        { name: 'control', containerPort: 8080 },
      ],
      readinessProbe: { httpGet: { path: '/healthz', port: 'control' }, periodSeconds: 3, timeoutSeconds: 5 },
      resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '256Mi' } },
      securityContext: containerSecurity,
      volumeMounts: [{ name: 'certificates', mountPath: '/etc/internet', readOnly: true }],
    },
  ],
  volumes: [{ name: 'certificates', secret: { secretName: secret, defaultMode: 0o440 } }],
};
