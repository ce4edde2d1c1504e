import { collectorUrl, mounts } from '@rekey/crds/names.ts';
import type { Snapshot } from '@rekey/crds/snapshot.ts';
import type { Level } from '@rekey/lib/log.ts';
import { snapshotOf } from './credential/snapshot.ts';

/** Everything that the sidecar is told from outside: by the webhook through the environment and the projected volume. */
export interface Config {
  readonly namespace: string;
  readonly pod: string;
  readonly podUID: string;
  readonly serviceAccount: string;
  /** PEM certificates that upstreams are verified with besides the public roots. */
  readonly extraCA: string | undefined;
  readonly logLevel: Level;
  /** Where the audit goes besides stdout: the base URL of an OTLP/HTTP collector. */
  readonly auditOTLP: string | undefined;
  readonly kubernetes: { readonly host: string; readonly port: number };
  /** Folder of the projected identity: `api/token`, `api/ca.crt`, `source/<store>/token`, `pod/snapshot`. */
  readonly identity: string;
  /** Folder of the Kubernetes Secrets that credentials read from. */
  readonly secrets: string;
  readonly snapshot: Snapshot;
}

/** The configuration cannot be used. `problems` is everything that is wrong, each one sentence. */
export class ConfigInvalid extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`the sidecar's configuration is not usable:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.name = 'ConfigInvalid';
    this.problems = problems;
  }
}

const levels: readonly string[] = ['debug', 'info', 'warn', 'error'];

/** Reads all there is to read once, and throws ConfigInvalid with the whole list of problems. `readFile` gives a file's text or throws. */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  identity: string = mounts.identity.path,
): Config {
  const problems: string[] = [];
  const required = (name: string): string => {
    const text = env[name] ?? '';
    if (text === '') problems.push(`${name} is not set: the webhook sets it, so was this container written by hand?`);
    return text;
  };
  const config: Config = {
    namespace: required('REKEY_NAMESPACE'),
    pod: required('REKEY_POD'),
    podUID: required('REKEY_POD_UID'),
    serviceAccount: required('REKEY_SERVICE_ACCOUNT'),
    extraCA: readExtraCA(env, problems),
    logLevel: readLevel(env, problems),
    auditOTLP: readCollector(env, problems),
    kubernetes: { host: required('KUBERNETES_SERVICE_HOST'), port: readPort(required('KUBERNETES_SERVICE_PORT'), problems) },
    identity,
    secrets: mounts.secrets.path,
    snapshot: readSnapshot(`${identity}/pod/snapshot`, readFile, problems),
  };
  if (problems.length > 0) throw new ConfigInvalid(problems);
  return freeze(config);
}

type Env = Readonly<Record<string, string | undefined>>;

function readExtraCA(env: Env, problems: string[]): string | undefined {
  const text = env['REKEY_EXTRA_CA'] ?? '';
  if (text === '') return undefined;
  if (!text.includes('-----BEGIN CERTIFICATE-----')) problems.push('REKEY_EXTRA_CA holds no certificate: give PEM text, not a path');
  return text;
}

function readLevel(env: Env, problems: string[]): Level {
  const text = env['REKEY_LOG_LEVEL'] ?? '';
  if (text !== '' && !levels.includes(text)) problems.push(`REKEY_LOG_LEVEL is one of ${levels.join(', ')}`);
  return text === '' ? 'info' : (text as Level);
}

function readCollector(env: Env, problems: string[]): string | undefined {
  const text = env['REKEY_AUDIT_OTLP'] ?? '';
  if (text === '') return undefined;
  if (!collectorUrl.test(text))
    problems.push('REKEY_AUDIT_OTLP is not the URL of a collector: write http://HOST:4318 or https://HOST:4318');
  return text;
}

function readPort(text: string, problems: string[]): number {
  const port = Number(text);
  if (text !== '' && (!Number.isInteger(port) || port < 1 || port > 65_535)) {
    problems.push('KUBERNETES_SERVICE_PORT is not a port from 1 to 65535');
  }
  return port;
}

function readSnapshot(path: string, readFile: (path: string) => string, problems: string[]): Snapshot {
  try {
    return snapshotOf(readFile(path), problems);
  } catch {
    problems.push(`${path} cannot be read: the pod has no snapshot of its credentials`);
    return { credentials: [], stores: [] };
  }
}

/** Frozen all the way down: nothing that runs later can bend what was checked here. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) freeze(inner);
  return value;
}
