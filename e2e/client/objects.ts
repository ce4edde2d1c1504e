import { containerSecurity, podSecurity } from '../servers/objects.ts';
import type { KubernetesObject } from '../servers/objects.ts';

export const namespace = 'demo';
export const image = 'rekey.test/client:dev';

const labels = { app: 'client' };

/** One pod that calls the fleet, and the Service of its control port. */
export function clientObjects(): KubernetesObject[] {
  const metadata = { name: 'client', namespace, labels };
  return [
    { apiVersion: 'v1', kind: 'Pod', metadata, spec },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ports: [{ name: 'control', port: 8080, targetPort: 'control' }] },
    },
  ];
}

const spec = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  restartPolicy: 'Never',
  terminationGracePeriodSeconds: 5,
  securityContext: podSecurity,
  containers: [
    {
      name: 'client',
      image,
      imagePullPolicy: 'IfNotPresent',
      ports: [{ name: 'control', containerPort: 8080 }],
      readinessProbe: { httpGet: { path: '/healthz', port: 'control' }, periodSeconds: 3, timeoutSeconds: 5 },
      resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '512Mi' } },
      securityContext: containerSecurity,
    },
  ],
};
