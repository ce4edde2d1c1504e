// The sidecar checks shapes by hand: the API server has validated them already, and zod would cost 7 MB in every pod.
import type { Snapshot } from '@rekey/crds/snapshot.ts';

type Fields = Record<string, unknown>;

/** The snapshot in `text`; what is wrong with it goes to `problems`. */
export function snapshotOf(text: string, problems: string[]): Snapshot {
  const empty: Snapshot = { credentials: [], stores: [] };
  const snapshot = parse(text);
  if (!isFields(snapshot) || !Array.isArray(snapshot['credentials']) || !Array.isArray(snapshot['stores'])) {
    problems.push('the snapshot is not JSON with credentials and stores');
    return empty;
  }
  const before = problems.length;
  snapshot['credentials'].forEach((entry: unknown) => checkEntry('credential', entry, credentialProblem, problems));
  snapshot['stores'].forEach((entry: unknown) => checkEntry('store', entry, storeProblem, problems));
  return problems.length > before ? empty : (snapshot as unknown as Snapshot);
}

function checkEntry(kind: string, entry: unknown, problemOf: (spec: unknown) => string | undefined, problems: string[]): void {
  if (!isFields(entry) || !isName(entry['name'])) {
    problems.push(`the snapshot has a ${kind} without a name`);
    return;
  }
  const problem = problemOf(entry['spec']);
  if (problem !== undefined) problems.push(`${kind} ${entry['name']} of the snapshot: ${problem}`);
}

/** What keeps the sidecar from using this as an MCPCredential's spec, or undefined. */
export function credentialProblem(spec: unknown): string | undefined {
  if (!isFields(spec)) return 'there is no spec';
  const checks: readonly [string, boolean][] = [
    ['source', isFields(spec['source'])],
    ['storeRef.name', isFields(spec['storeRef']) && isName(spec['storeRef']['name'])],
    ['version', typeof spec['version'] === 'string'],
    ['hosts', isList(spec['hosts']) && spec['hosts'].every((host) => typeof host === 'string')],
    ['inject', isList(spec['inject']) && spec['inject'].every(isFields)],
    ['refused', isList(spec['refused']) && spec['refused'].every(isFields)],
    ['env', Array.isArray(spec['env']) && spec['env'].every(isFields)],
    ['cacheTTLSeconds', isSeconds(spec['cacheTTLSeconds'])],
    ['maxStaleSeconds', isSeconds(spec['maxStaleSeconds'])],
    ['suspend', typeof spec['suspend'] === 'boolean'],
  ];
  return problemOf(checks);
}

/** What keeps the sidecar from using this as an MCPCredentialStore's spec, or undefined. */
export function storeProblem(spec: unknown): string | undefined {
  if (!isFields(spec)) return 'there is no spec';
  const vault = spec['vault'];
  // A kind that this sidecar does not know is no fault of the snapshot: reading from it fails with a reason.
  if (vault === undefined) return undefined;
  if (!isFields(vault)) return 'vault is missing or not what the API says';
  return problemOf([
    ['vault.address', typeof vault['address'] === 'string' && vault['address'].startsWith('https://')],
    ['vault.mount', typeof vault['mount'] === 'string'],
    ['vault.auth', isFields(vault['auth'])],
  ]);
}

function problemOf(checks: readonly [string, boolean][]): string | undefined {
  const wrong = checks.filter(([, holds]) => !holds).map(([field]) => field);
  return wrong.length === 0 ? undefined : `${wrong.join(', ')} is missing or not what the API says`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isList = (value: unknown): value is unknown[] => Array.isArray(value) && value.length > 0;
const isName = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isSeconds = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 0;
