import { followed, get, kubectl, list } from './kube.ts';

export interface CredentialObject {
  metadata: { name: string; namespace: string; generation: number };
  status?: {
    version?: string;
    pods?: { bound: number; current: number; failing: number; summary: string };
    safeToRevoke?: string;
    rotation?: { phase: string; trigger: string; candidate?: string; pods?: string[]; reason?: string };
    rejected?: { version: string }[];
    history?: { version: string; durationMilliseconds: number; result: string }[];
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
}

export const condition = (credential: CredentialObject, type: string): { status: string; reason: string; message: string } | undefined =>
  credential.status?.conditions?.find((one) => one.type === type);

export const credentials = (namespace = 'tools'): Promise<CredentialObject[]> => list<CredentialObject>('mcpcredentials', '-n', namespace);

export const credential = (name: string, namespace = 'tools'): Promise<CredentialObject> =>
  get<CredentialObject>('mcpcredential', name, '-n', namespace);

/** Waits until every pod of a credential uses the version; resolves with when that was seen. */
export function propagated(name: string, version: string, seconds = 120, namespace = 'tools'): Promise<number> {
  const isDone = (object: CredentialObject): boolean =>
    object.status?.version === version &&
    condition(object, 'Propagated')?.status === 'True' &&
    object.status.pods?.current === object.status.pods?.bound;
  const what = `${name}: every pod on version ${version}`;
  // As a list of one: of an object that it gets by its name kubectl drops the first event, which may be the one that is waited for.
  const args = ['mcpcredentials', '-n', namespace, `--field-selector=metadata.name=${name}`];
  return followed(what, seconds, args, (object) => isDone(object as CredentialObject));
}

export const patch = (name: string, spec: object, namespace = 'tools'): Promise<string> =>
  kubectl('patch', 'mcpcredential', name, '-n', namespace, '--type=merge', '-p', JSON.stringify({ spec }));
