import type { Credential } from '@rekey/crds/credential.ts';
import { injectedLabel, injectionLabel, injectLabel, sidecarName, snapshotAnnotation } from '@rekey/crds/names.ts';
import { snapshotOf } from '@rekey/crds/snapshot.ts';
import { refreshOf } from '@rekey/crds/refresh.ts';
import { add } from './add.ts';
import { sourcesOf } from './volumes.ts';
import type { Candidates } from './choose.ts';
import { choose } from './choose.ts';
import type { Decision, Pod } from './pod.ts';
import { equivalentIdentities } from './identity.ts';
import { refuse, trustVariable } from './refuse.ts';
import type { SidecarSettings } from '../config.ts';
import { strip } from './strip.ts';
import { wantedBy } from './wanted.ts';
import { waysIn } from './ways.ts';

export interface Context extends Candidates {
  settings: SidecarSettings;
}

export type Outcome =
  | { kind: 'untouched' }
  | { kind: 'none'; pod: Pod; warnings: Decision[] }
  | { kind: 'injected'; pod: Pod; warnings: Decision[] }
  | { kind: 'refused'; refusal: Decision };

/**
 * Gives a pod its sidecar. Pure: the pod that comes in is not changed, and the same pod comes out however often it is injected.
 *
 * | pod label inject | namespace label injection | a credential selects it | outcome                                 |
 * |------------------|---------------------------|-------------------------|-----------------------------------------|
 * | "false"          | any                       | any                     | untouched                               |
 * | "true"           | any                       | yes                     | injected, or refused with the reason    |
 * | "true"           | any                       | no                      | refused: NoCredential (StoreNotAllowed) |
 * | other or absent  | enabled                   | yes                     | injected, or refused with the reason    |
 * | other or absent  | enabled                   | no                      | label `rekey.dev/injected: none`        |
 * | other or absent  | other or absent           | any                     | untouched                               |
 */
export function inject(pod: Pod, context: Context): Outcome {
  const label = pod.metadata.labels?.[injectLabel];
  const must = label === 'true';
  if (label === 'false' || (!must && context.namespaceLabels[injectionLabel] !== 'enabled')) return { kind: 'untouched' };
  const { chosen, warnings } = choose(pod.metadata.labels ?? {}, context);
  if (chosen.length > 0) return injected(pod, chosen, warnings, context);
  if (must) return { kind: 'refused', refusal: noCredential(warnings) };
  return { kind: 'none', pod: labelled(strip(pod, new Set()), 'none'), warnings };
}

/** The pod's controller creates it again until a credential selects it. */
function noCredential(warnings: readonly Decision[]): Decision {
  const message =
    `the pod is labelled ${injectLabel}=true, but no MCPCredential of its namespace selects it: ` +
    'create one whose podSelector matches the labels of the pod, or remove the label';
  return warnings.find(({ reason }) => reason === 'StoreNotAllowed') ?? { reason: 'NoCredential', message };
}

function injected(pod: Pod, chosen: readonly Credential[], warnings: Decision[], context: Context): Outcome {
  const original = strip(pod, new Set()).spec;
  const reached = refuse(original) ?? waysIn(original, chosen, context.settings);
  if (!Array.isArray(reached)) return { kind: 'refused', refusal: reached };
  const snapshot = snapshotOf(reached, context.stores);
  const wanted = wantedBy(snapshot);
  const refusal = trustVariable(original, wanted);
  if (refusal !== undefined) return { kind: 'refused', refusal };
  const bare = strip(pod, new Set(wanted.variables.map(({ name }) => name)));
  const before = pod.spec.initContainers?.find(({ name }) => name === sidecarName)?.resources;
  const spec = add(bare.spec, wanted, { settings: context.settings, sources: sourcesOf(chosen, context.stores), before });
  const annotations = { [snapshotAnnotation]: JSON.stringify(snapshot), ...refreshOf(chosen) };
  const whole = annotated(labelled({ ...bare, spec }, 'true'), annotations);
  if (!annotationsFit(whole)) return { kind: 'refused', refusal: tooLarge };
  return { kind: 'injected', pod: whole, warnings: [...warnings, ...equivalentIdentities(bare.spec, snapshot)] };
}

function labelled(pod: Pod, value: string): Pod {
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, [injectedLabel]: value } } };
}

function annotated(pod: Pod, annotations: Record<string, string>): Pod {
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...annotations } } };
}

/** All annotations of an object together, keys and values (apimachinery's TotalAnnotationSizeLimitB). */
const annotationsLimit = 256 * 1024;

const tooLarge: Decision = {
  reason: 'PodInvalid',
  message: `the credentials of the pod do not fit into its annotations (${annotationsLimit} bytes): let fewer MCPCredentials select it, or shorten the caBundle of their stores`,
};

function annotationsFit({ metadata }: Pod): boolean {
  const bytes = Object.entries(metadata.annotations ?? {}).map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value));
  return bytes.reduce((total, size) => total + size, 0) <= annotationsLimit;
}
