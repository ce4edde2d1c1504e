import { isDeepStrictEqual } from 'node:util';
import { mounts, sidecarHealthPort, sidecarName, sidecarUid } from '@rekey/crds/names.ts';
import type { SidecarSettings } from '../config.ts';
import type { Container, EnvironmentVariable, PodSpec, Resources } from './pod.ts';
import { allContainers } from './pod.ts';
import { equalQuantities } from './quantity.ts';

/** CPU limit of the sidecar of a Guaranteed pod, unless the settings have one: its request, 10m, would throttle it. */
const guaranteedCpu = '100m';

interface Parts {
  resources: Resources | undefined;
  /** Whether it reads Kubernetes Secrets. */
  secrets: boolean;
}

/**
 * The native sidecar (KEP-753). Its security context is all that the `restricted` Pod Security Standard asks for.
 * The startup probe keeps the app from starting before the trust bundle and the listeners are there; it never waits for the vault.
 */
export function sidecar(settings: SidecarSettings, { resources, secrets }: Parts): Container {
  const probe = { httpGet: { path: '/healthz', port: sidecarHealthPort }, timeoutSeconds: 1 };
  return {
    name: sidecarName,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    restartPolicy: 'Always',
    env: environment(settings),
    ports: [{ name: 'rekey-metrics', containerPort: sidecarHealthPort, protocol: 'TCP' }],
    ...(resources === undefined ? {} : { resources }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: sidecarUid,
      runAsGroup: sidecarUid,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 3 },
    volumeMounts: [
      { name: mounts.ca.volume, mountPath: mounts.ca.path },
      { name: mounts.trust.volume, mountPath: mounts.trust.path },
      { name: mounts.identity.volume, mountPath: mounts.identity.path, readOnly: true },
      ...(secrets ? [{ name: mounts.secrets.volume, mountPath: mounts.secrets.path, readOnly: true }] : []),
    ],
  };
}

function environment({ extraCA, logLevel, auditOTLP }: SidecarSettings): EnvironmentVariable[] {
  return [
    field('REKEY_NAMESPACE', 'metadata.namespace'),
    field('REKEY_POD', 'metadata.name'),
    field('REKEY_POD_UID', 'metadata.uid'),
    field('REKEY_SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    { name: 'REKEY_LOG_LEVEL', value: logLevel },
    ...(auditOTLP === '' ? [] : [{ name: 'REKEY_AUDIT_OTLP', value: auditOTLP }]),
    ...(extraCA === '' ? [] : [{ name: 'REKEY_EXTRA_CA', value: extraCA }]),
  ];
}

function field(name: string, fieldPath: string): EnvironmentVariable {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

/**
 * What the sidecar may use, so that the pod stays valid and keeps its class.
 *
 * | spec.resources (KEP-2837) | all containers Guaranteed | the sidecar's resources                                 |
 * |---------------------------|---------------------------|---------------------------------------------------------|
 * | given                     | any                       | none: the containers' sum may not exceed the pod's      |
 * | not given                 | yes                       | requests = limits, the settings' limits                 |
 * | not given                 | no                        | the settings', and what a LimitRange has added to them  |
 */
export function sidecarResources(settings: SidecarSettings, spec: PodSpec, before: Resources | undefined): Resources | undefined {
  const { requests, limits } = settings.resources;
  const both = { cpu: guaranteedCpu, ...limits };
  const guaranteed = { requests: both, limits: both };
  if (spec.resources?.limits !== undefined || spec.resources?.requests !== undefined) return undefined;
  if (allContainers(spec).every(isGuaranteed)) return guaranteed;
  const kept = isDeepStrictEqual(before, guaranteed) ? undefined : before;
  return { ...kept, requests: { ...kept?.requests, ...requests }, limits: { ...kept?.limits, ...limits } };
}

/** Kubernetes' rule for the Guaranteed class, for one container; a request that is not given is the limit. */
function isGuaranteed({ resources }: Container): boolean {
  return ['cpu', 'memory'].every((name) => {
    const limit = resources?.limits?.[name];
    return limit !== undefined && equalQuantities(resources?.requests?.[name] ?? limit, limit);
  });
}
