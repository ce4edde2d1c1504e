import { waysOf } from '@rekey/crds/ways.ts';
import { injectionLabel } from '@rekey/crds/names.ts';
import type { LabelSelector } from '@rekey/crds/parts.ts';
import type { Draft } from '../status.ts';
import type { Facts } from './facts.ts';
import type { BoundPod, MissedPod } from './input.ts';
import { count, secretKeys, some } from './input.ts';

/**
 * Whether pods must be made anew: a pod's credentials, hosts, variables and tokens are fixed when it is created.
 *
 * | matching pods without the sidecar, opted in | pods that lack a host, a variable, the store's token or the Secret | RestartRequired | reason |
 * |------|------|-------|-----------------|
 * | none | none | False | NoRestartNeeded |
 * | some | any  | True  | RestartRequired |
 * | any  | some | True  | RestartRequired |
 *
 * Undefined when the matching pods could not be listed and no pod is known that lacks anything.
 */
export function restartRequired(facts: Facts): Draft | undefined {
  const type = 'RestartRequired';
  const missed = (facts.missed ?? []).filter(({ optedIn }) => optedIn);
  const lacking = facts.pods.filter((pod) => lacks(pod, facts).length > 0);
  const parts = [
    missed.length > 0 ? `${verbs(missed, 'matches and was', 'match and were')} created without the credential (${names(missed)})` : '',
    lacking.length > 0 ? `${verbs(lacking, 'was', 'were')} created before ${lacks(lacking[0], facts).join(', ')} (${names(lacking)})` : '',
  ].filter((part) => part !== '');
  if (parts.length > 0) {
    const message = `${parts.join('; ')}. Run: ${restartCommand(facts, [...missed, ...lacking])}`;
    return { type, status: 'True', reason: 'RestartRequired', message };
  }
  if (facts.missed === undefined) return undefined;
  return { type, status: 'False', reason: 'NoRestartNeeded', message: 'no running pod would gain from a restart' };
}

/** Without a store it is not known which token it will want. */
function lacks(pod: BoundPod | undefined, { credential, audience }: Facts): string[] {
  if (pod === undefined) return [];
  const { hosts, env, source, storeRef } = credential.spec;
  const secret = source.kubernetesSecret;
  const { injected } = pod;
  const ways = waysOf(credential.spec);
  const hasToken = audience === undefined || injected.audiences[storeRef.name] === audience;
  return [
    ...hosts.filter((host) => !injected.hosts.includes(host)).map((host) => `host ${host}`),
    ...env.filter(({ name }) => !injected.env.includes(name)).map(({ name }) => `variable ${name}`),
    ...(ways.some((way) => injected.ways.includes(way)) ? [] : [`the way in ${ways.join(' or ')}`]),
    ...(hasToken ? [] : [`the token for store ${storeRef.name}`]),
    ...(secret === undefined || secretKeys(secret).every((key) => injected.secrets.includes(key))
      ? []
      : [
          `the volume with key ${[secret.key, ...(secret.userKey === undefined ? [] : [secret.userKey])].join(' and ')} of Secret ${secret.name}`,
        ]),
  ];
}

function verbs(pods: readonly object[], one: string, many: string): string {
  return `${count(pods.length, 'pod')} ${pods.length === 1 ? one : many}`;
}

function names(pods: readonly { name: string }[]): string {
  return some(pods.map(({ name }) => name).sort());
}

/** What to run so that the pods are made anew; a pod that nothing makes anew has to be deleted and created by whoever made it. */
function restartCommand({ credential }: Facts, pods: readonly { name: string; workload?: string | undefined }[]): string {
  const workloads = [...new Set(pods.map(({ workload }) => workload).filter((workload) => workload !== undefined))].sort();
  if (workloads.length === 0) return `kubectl -n ${credential.metadata.namespace} delete pod ${pods[0]?.name ?? ''}, and create it again`;
  return `kubectl -n ${credential.metadata.namespace} rollout restart ${workloads.slice(0, 5).join(' ')}`;
}

/** Why no pod carries the credential, and what to do about it: the question of everyone who has just made one. */
export function withoutPods(facts: Facts): string {
  const { credential, missed = [] } = facts;
  const closed = (missed ?? []).filter(({ optedIn }) => !optedIn);
  const { namespace } = credential.metadata;
  if (closed.length > 0) {
    const opt = `kubectl label namespace ${namespace} ${injectionLabel}=enabled`;
    return `${verbs(closed, 'matches', 'match')} (${names(closed)}), and the namespace is not opted in. Run: ${opt} && ${restartCommand(facts, closed)}`;
  }
  if (hasOptedIn(missed ?? [])) return 'the pods that match were created without the credential: restart them, as RestartRequired says';
  return `no running pod of namespace ${namespace} matches spec.podSelector ${selectorText(credential.spec.podSelector)}`;
}

function hasOptedIn(missed: readonly MissedPod[]): boolean {
  return missed.some(({ optedIn }) => optedIn);
}

/** A label selector as kubectl and the API take it: app=mcp-github,tier in (a,b). */
export function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const texts = matchExpressions.map(({ key, operator, values = [] }) => expressionText[operator](key, values.join(',')));
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...texts].join(',');
}

const expressionText: Record<NonNullable<LabelSelector['matchExpressions']>[number]['operator'], (key: string, values: string) => string> =
  {
    In: (key, values) => `${key} in (${values})`,
    NotIn: (key, values) => `${key} notin (${values})`,
    Exists: (key) => key,
    DoesNotExist: (key) => `!${key}`,
  };
