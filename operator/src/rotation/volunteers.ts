import type { BoundPod } from '../decide/input.ts';

/** So long one pod has for its probe; then the next one is asked. */
export const probeMilliseconds = 15_000;

/** Pods whose sidecar has reported, by name: others may never answer. */
function ready(pods: readonly BoundPod[]): string[] {
  return pods
    .filter(({ use }) => use !== undefined)
    .map(({ name }) => name)
    .sort();
}

/** The pod that probes: the same one as long as it is there and has time left, then the next by name. None when there is none. */
export function prober(pods: readonly BoundPod[], asked: string | undefined, timeIsUp: boolean): string[] {
  const names = ready(pods);
  if (asked !== undefined && !timeIsUp && names.includes(asked)) return [asked];
  const next = names.find((name) => asked === undefined || name > asked) ?? names[0];
  return next === undefined ? [] : [next];
}

/** The canaries: those that are one already and still there, and others by name until they are enough. */
export function canaries(pods: readonly BoundPod[], asked: readonly string[], count: number): string[] {
  const names = ready(pods);
  const kept = asked.filter((name) => names.includes(name)).slice(0, count);
  const others = names.filter((name) => !kept.includes(name));
  return [...kept, ...others.slice(0, count - kept.length)].sort();
}
