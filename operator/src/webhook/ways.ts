import { posix } from 'node:path';
import type { Credential } from '@rekey/crds/credential.ts';
import { splitHost } from '@rekey/crds/host.ts';
import { proxyVariables } from '@rekey/crds/names.ts';
import { basePort, isWildcard, proxyPort, waysOf } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { Reason } from '@rekey/lib/reason.ts';
import type { Decision, PodSpec } from './pod.ts';
import { allContainers } from './pod.ts';
import { firstUnprivilegedPort, portSysctl } from './wanted.ts';

/** A credential with the ways in which the calls of one pod reach the sidecar. */
export interface Reached {
  credential: Credential;
  ways: Way[];
}

export interface WaySettings {
  /** Whether the cluster lets pods set the sysctl that opens low ports. */
  readonly sysctls: boolean;
}

interface Asked extends WaySettings {
  spec: PodSpec;
  credential: Credential;
  /** Of the credential, in the pod's snapshot. */
  index: number;
}

/**
 * The ways that work in a pod, for each credential. The pod is one without the sidecar.
 *
 * | ways that `via` allows | of these work | outcome                                     |
 * |------------------------|---------------|---------------------------------------------|
 * | any                    | all, or some  | those: what works is enough                 |
 * | any                    | none          | refused: what is in the way of the first    |
 */
export function waysIn(spec: PodSpec, chosen: readonly Credential[], settings: WaySettings): Reached[] | Decision {
  const reached: Reached[] = [];
  for (const [index, credential] of chosen.entries()) {
    const tried = waysOf(credential.spec).map((way) => ({ way, problem: problems[way]({ ...settings, spec, credential, index }) }));
    const ways = tried.filter(({ problem }) => problem === undefined).map(({ way }) => way);
    const problem = tried[0]?.problem;
    if (ways.length === 0 && problem !== undefined)
      return withOthers(
        problem,
        credential,
        tried.map(({ way }) => way),
      );
    reached.push({ credential, ways });
  }
  return reached;
}

/** What else to set, of the ways that the credential does not allow yet. */
function withOthers({ reason, message }: Decision, { metadata, spec }: Credential, tried: readonly Way[]): Decision {
  const others = [
    ...(tried.includes('proxy') ? [] : ['{proxy: {}} for a server that heeds HTTPS_PROXY']),
    ...(tried.includes('baseUrl') || spec.hosts.length > 1
      ? []
      : ['{baseUrl: {env: [{name: …}]}} for one with a setting for its base URL']),
  ];
  if (others.length === 0) return { reason, message };
  return { reason, message: `${message}. Or add another way in to spec.via of MCPCredential ${metadata.name}: ${others.join(', or ')}` };
}

const problems: Record<Way, (asked: Asked) => Decision | undefined> = {
  hosts: (asked) => hostsFile(asked) ?? hostAlias(asked) ?? portInUse(asked.spec, portsOf(asked.credential)) ?? portForbidden(asked),
  proxy: (asked) => proxyVariable(asked) ?? portInUse(asked.spec, [proxyPort]),
  baseUrl: ({ spec, index }) => portInUse(spec, [basePort(index)]),
};

function because(reason: Reason, message: string): Decision {
  return { reason, message };
}

const exactHosts = ({ spec }: Credential): { name: string; port: number }[] =>
  spec.hosts.filter((host) => !isWildcard(host)).map(splitHost);
const portsOf = (credential: Credential): number[] => exactHosts(credential).map(({ port }) => port);

function hostsFile({ spec }: Asked): Decision | undefined {
  for (const { name, volumeMounts = [] } of allContainers(spec)) {
    if (!volumeMounts.some(({ mountPath }) => posix.normalize(`${mountPath}/`) === '/etc/hosts/')) continue;
    return because('HostsFileMounted', `container ${name} mounts its own /etc/hosts: use the pod's hostAliases instead`);
  }
  return undefined;
}

function hostAlias({ spec: { hostAliases = [] }, credential }: Asked): Decision | undefined {
  const hosts = exactHosts(credential).map(({ name }) => name);
  for (const { ip, hostnames = [] } of hostAliases) {
    const taken = hostnames.find((name) => hosts.includes(name.toLowerCase()));
    if (taken === undefined) continue;
    return because(
      'HostAliasTaken',
      `the pod's hostAliases send ${taken} to ${ip}, but its calls must reach the sidecar: remove ${taken} from hostAliases`,
    );
  }
  return undefined;
}

/** Why the sidecar cannot have these ports of the pod. */
export function portInUse(spec: PodSpec, needed: readonly number[]): Decision | undefined {
  for (const container of allContainers(spec)) {
    const taken = container.ports?.find((port) => (port.protocol ?? 'TCP') === 'TCP' && needed.includes(port.containerPort ?? 0));
    if (taken?.containerPort === undefined) continue;
    const message = `container ${container.name} listens on port ${taken.containerPort}, which the sidecar needs: let it listen on another port`;
    return because('PortTaken', message);
  }
  return undefined;
}

/**
 * | lowest port | the pod's own sysctl | the cluster's setting | outcome              |
 * |-------------|----------------------|-----------------------|----------------------|
 * | 1024 and up | any                  | any                   | works                |
 * | below       | at most that port    | any                   | works                |
 * | below       | above that port      | any                   | the pod's sysctl     |
 * | below       | none                 | allowed               | works: we set it     |
 * | below       | none                 | forbidden             | the chart's value    |
 */
function portForbidden({ spec: { securityContext }, credential, sysctls }: Asked): Decision | undefined {
  const lowest = Math.min(...portsOf(credential));
  if (lowest >= firstUnprivilegedPort) return undefined;
  const own = securityContext?.sysctls?.find(({ name }) => name === portSysctl);
  if (own === undefined) {
    if (sysctls) return undefined;
    const message = `port ${lowest} needs the sysctl ${portSysctl}, which the chart's value sidecar.sysctls says that this cluster forbids: allow it, it is a safe one`;
    return because('PortTaken', message);
  }
  if (Number(own.value) <= lowest) return undefined;
  return because(
    'PortTaken',
    `the pod's sysctl ${portSysctl}=${own.value} keeps port ${lowest} from the sidecar: set it to 0, or remove it`,
  );
}

/** A proxy of the company's own: a call cannot go through both. */
function proxyVariable({ spec }: Asked): Decision | undefined {
  const names: readonly string[] = proxyVariables;
  for (const container of allContainers(spec)) {
    const taken = container.env?.find(({ name }) => names.includes(name));
    if (taken === undefined) continue;
    const message = `container ${container.name} sets ${taken.name}, which must lead to the sidecar: unset it`;
    return because('ProxyVariableTaken', message);
  }
  return undefined;
}
