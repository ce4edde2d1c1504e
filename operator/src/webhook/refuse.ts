import { posix } from 'node:path';
import { mounts, sidecarHealthPort, sidecarName, sidecarUid, trustVariables } from '@rekey/crds/names.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Container, Decision, PodSpec, SecurityContext } from './pod.ts';
import { allContainers } from './pod.ts';
import type { Wanted } from './wanted.ts';
import { volumeNames } from './wanted.ts';
import { portInUse } from './ways.ts';

type Check = (spec: PodSpec) => Decision | undefined;

/** In this order: what rules the whole pod out comes before what one line of it does. */
const checks: readonly Check[] = [
  noContainers,
  windows,
  hostNetwork,
  sharedProcesses,
  containerName,
  volumeName,
  volumeMounted,
  mountPath,
  healthPort,
];

/** Why a pod cannot have the sidecar, with what to change; undefined when it can. The pod is one without the sidecar. */
export function refuse(spec: PodSpec): Decision | undefined {
  for (const check of checks) {
    const refusal = check(spec);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

function because(reason: Reason, message: string): Decision {
  return { reason, message };
}

function noContainers({ containers }: PodSpec): Decision | undefined {
  if (Array.isArray(containers) && containers.length > 0) return undefined;
  return because('PodInvalid', 'the pod has no containers: give it at least one');
}

function windows({ os, nodeSelector }: PodSpec): Decision | undefined {
  if (os?.name !== 'windows' && nodeSelector?.['kubernetes.io/os'] !== 'windows') return undefined;
  return because('WindowsPod', 'the sidecar runs on Linux only: label this Windows pod rekey.dev/inject=false');
}

function hostNetwork(spec: PodSpec): Decision | undefined {
  if (spec.hostNetwork !== true) return undefined;
  return because('HostNetwork', 'the pod is on the host network, where it has no hosts file and no ports of its own: remove hostNetwork');
}

/** Processes that see each other may read each other's memory when they run as one user or may trace (ptrace(2), "Ptrace access mode checking"). */
function sharedProcesses(spec: PodSpec): Decision | undefined {
  const field = (['shareProcessNamespace', 'hostPID'] as const).find((name) => spec[name] === true);
  const container = field === undefined ? undefined : allContainers(spec).find((candidate) => couldRead(candidate, spec));
  if (container === undefined) return undefined;
  const change = `remove ${field}, or give the container a runAsUser other than 0 and ${sidecarUid}, allowPrivilegeEscalation: false, and no added capability that traces or changes users`;
  return because('SharedProcessNamespace', `container ${container.name} could read the memory of the sidecar: ${change}`);
}

/** Root may become any user, the sidecar's too, by its default SETUID; any other may where a setuid program may raise it (no_new_privs). */
function couldRead({ securityContext }: Container, spec: PodSpec): boolean {
  const user = securityContext?.runAsUser ?? spec.securityContext?.runAsUser;
  const known = user !== undefined && user !== 0 && user !== sidecarUid;
  return !known || securityContext?.allowPrivilegeEscalation !== false || mayTraceOrSwitch(securityContext);
}

function mayTraceOrSwitch(context: SecurityContext): boolean {
  const dangerous = ['ALL', 'SYS_PTRACE', 'SYS_ADMIN', 'SETUID'];
  return context.privileged === true || (context.capabilities?.add ?? []).some((name) => dangerous.includes(name.replace(/^CAP_/u, '')));
}

function containerName(spec: PodSpec): Decision | undefined {
  if (!allContainers(spec).some(({ name }) => name === sidecarName)) return undefined;
  return because('NameTaken', `the pod has a container called ${sidecarName}, the name of the sidecar: give it another name`);
}

function volumeName({ volumes = [] }: PodSpec): Decision | undefined {
  const taken = volumes.find(({ name }) => volumeNames.includes(name));
  if (taken === undefined) return undefined;
  return because('NameTaken', `the pod has a volume called ${taken.name}, which belongs to the sidecar: give it another name`);
}

/** A mount may name a volume that the pod does not have yet: ours would come under it, and with it the sidecar's tokens and key. */
function volumeMounted(spec: PodSpec): Decision | undefined {
  for (const { name, volumeMounts = [] } of allContainers(spec)) {
    const taken = volumeMounts.find((mount) => volumeNames.includes(mount.name));
    if (taken === undefined) continue;
    return because('NameTaken', `container ${name} mounts the volume ${taken.name}, which belongs to the sidecar: remove the mount`);
  }
  return undefined;
}

function mountPath(spec: PodSpec): Decision | undefined {
  const root = mounts.trust.path.slice(0, mounts.trust.path.lastIndexOf('/'));
  const taken = findMount(spec, (path) => path === root || path.startsWith(`${root}/`));
  if (taken === undefined) return undefined;
  return because(
    'NameTaken',
    `container ${taken.name} mounts a volume at ${taken.path}, which belongs to the sidecar: mount it outside ${root}`,
  );
}

function findMount(spec: PodSpec, matches: (path: string) => boolean): { name: string; path: string } | undefined {
  for (const { name, volumeMounts = [] } of allContainers(spec)) {
    const paths = volumeMounts.map((mount) => normalized(mount.mountPath));
    const path = paths.find(matches);
    if (path !== undefined) return { name, path };
  }
  return undefined;
}

function normalized(path: string): string {
  return posix.normalize(`${path}/`).slice(0, -1);
}

function healthPort(spec: PodSpec): Decision | undefined {
  return portInUse(spec, [sidecarHealthPort]);
}

/** Why the trust variables, where they are wanted, cannot be set. */
export function trustVariable(spec: PodSpec, { variables }: Wanted): Decision | undefined {
  const names = variables.map(({ name }) => name).filter((name) => (trustVariables as readonly string[]).includes(name));
  for (const container of allContainers(spec)) {
    const taken = container.env?.find(({ name, value }) => names.includes(name) && value !== mounts.trust.file);
    if (taken === undefined) continue;
    const message = `container ${container.name} sets ${taken.name}, which the sidecar needs: unset it and put the CA in the chart value trust.extraCA`;
    return because('TrustVariableTaken', message);
  }
  return undefined;
}
