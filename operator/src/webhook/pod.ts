import type { Reason } from '@rekey/lib/reason.ts';

/** What the webhook reads and writes of a pod (core/v1). Fields that it does not know pass through untouched. */
export interface Pod {
  metadata: Metadata;
  spec: PodSpec;
  [field: string]: unknown;
}

interface Metadata {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  [field: string]: unknown;
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
  volumes?: Volume[];
  hostAliases?: HostAlias[];
  securityContext?: PodSecurityContext;
  hostNetwork?: boolean;
  hostPID?: boolean;
  shareProcessNamespace?: boolean;
  os?: { name?: string };
  nodeSelector?: Record<string, string>;
  resources?: Resources;
  [field: string]: unknown;
}

export interface Container {
  name: string;
  env?: EnvironmentVariable[];
  volumeMounts?: VolumeMount[];
  ports?: { name?: string; containerPort?: number; protocol?: string }[];
  resources?: Resources;
  restartPolicy?: string;
  securityContext?: SecurityContext;
  [field: string]: unknown;
}

export interface EnvironmentVariable {
  name: string;
  value?: string;
  valueFrom?: object;
}

export interface VolumeMount {
  name: string;
  mountPath: string;
  [field: string]: unknown;
}

export interface Volume {
  name: string;
  [source: string]: unknown;
}

export interface HostAlias {
  ip: string;
  hostnames?: string[];
}

export interface Resources {
  requests?: Record<string, string>;
  limits?: Record<string, string>;
  [field: string]: unknown;
}

export interface SecurityContext {
  runAsUser?: number;
  privileged?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  [field: string]: unknown;
}

interface PodSecurityContext {
  runAsUser?: number;
  sysctls?: { name: string; value: string }[];
  [field: string]: unknown;
}

/** A word of the closed list, and one sentence that says what to change. */
export interface Decision {
  reason: Reason;
  message: string;
}

/** Init containers first, as they run. Ephemeral containers cannot be there when a pod is created. */
export function allContainers(spec: PodSpec): Container[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
}

export function mapContainers(spec: PodSpec, change: (container: Container) => Container): PodSpec {
  return {
    ...spec,
    containers: (spec.containers ?? []).map(change),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(change) }),
  };
}

/** The object without the given field when it is empty: an empty list that was not there would be a change. */
export function withoutEmpty<T extends object>(object: T, field: keyof T): T {
  const value = object[field];
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  if (!empty) return object;
  const { [field]: _empty, ...rest } = object;
  return rest as T;
}
