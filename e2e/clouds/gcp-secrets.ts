import { failed } from './gcp-tokens.ts';
import type { Reply } from './web.ts';

export type State = 'ENABLED' | 'DISABLED' | 'DESTROYED';
const states: readonly State[] = ['ENABLED', 'DISABLED', 'DESTROYED'];

interface Version {
  state: State;
  data: Buffer;
  createTime: string;
}

export interface Secret {
  versions: Version[];
  aliases: Record<string, number>;
}

/** By `projects/P/secrets/S`. */
export type Secrets = Map<string, Secret>;

/** One request, taken apart: `projects/P/secrets/S[/versions[/V[:access]]]`. */
export interface Asked {
  project: string;
  secret: string;
  permission: string;
  /** The quota that it counts against: https://cloud.google.com/secret-manager/quotas */
  quota: 'read' | 'access';
  answer: (secrets: Secrets, query: URLSearchParams) => Reply;
}

const parameters = new Set(['$alt', 'alt', 'pageSize', 'pageToken', 'filter', '$prettyPrint', 'prettyPrint']);

/** What is asked for; undefined for what the API does not have. */
export function askedBy(method: string, path: string): Asked | undefined {
  const match = /^\/v1\/(projects\/([a-z0-9.:-]+))\/secrets\/([\w-]{1,255})(\/versions(\/([\w-]{1,63}):access)?)?$/u.exec(path);
  if (method !== 'GET' || match === null) return undefined;
  const [, project = '', , id = '', versions, access, version = ''] = match;
  const secret = `${project}/secrets/${id}`;
  if (access !== undefined) {
    return {
      project,
      secret,
      permission: 'secretmanager.versions.access',
      quota: 'access',
      answer: (secrets) => accessed(secrets, secret, version),
    };
  }
  if (versions !== undefined) {
    return {
      project,
      secret,
      permission: 'secretmanager.versions.list',
      quota: 'read',
      answer: (secrets, query) => listed(secrets, secret, query),
    };
  }
  return { project, secret, permission: 'secretmanager.secrets.get', quota: 'read', answer: (secrets) => got(secrets, secret) };
}

export function unknownParameter(query: URLSearchParams): Reply | undefined {
  const unknown = [...query.keys()].find((name) => !parameters.has(name));
  return unknown === undefined
    ? undefined
    : failed(400, 'INVALID_ARGUMENT', `Invalid JSON payload received. Unknown name "${unknown}": Cannot bind query parameter.`);
}

const notFound = (name: string): Reply => failed(404, 'NOT_FOUND', `${name} not found or has no versions.`);

function accessed(secrets: Secrets, name: string, asked: string): Reply {
  const secret = secrets.get(name);
  if (secret === undefined) return failed(404, 'NOT_FOUND', `Secret [${name}] not found or has no versions.`);
  const number = asked === 'latest' ? secret.versions.length : (secret.aliases[asked] ?? Number(asked));
  const version = secret.versions[number - 1];
  if (version === undefined) return notFound(`Secret Version [${name}/versions/${asked}]`);
  const full = `${name}/versions/${number}`;
  if (version.state !== 'ENABLED') return failed(400, 'FAILED_PRECONDITION', `Secret Version [${full}] is in ${version.state} state.`);
  return {
    status: 200,
    body: { name: full, payload: { data: version.data.toString('base64'), dataCrc32c: String(checksum(version.data)) } },
  };
}

/** Newest first, as the real one lists them. */
function listed(secrets: Secrets, name: string, query: URLSearchParams): Reply {
  const secret = secrets.get(name);
  if (secret === undefined) return notFound(`Secret [${name}]`);
  const size = Math.min(Number(query.get('pageSize') ?? '') || 25_000, 25_000);
  const from = Number(query.get('pageToken') ?? '') || 0;
  const all = secret.versions.map(({ state, createTime }, index) => ({
    name: `${name}/versions/${index + 1}`,
    state: encoded(state, query),
    createTime,
  }));
  const page = all.toReversed().slice(from, from + size);
  const more = from + size < all.length ? { nextPageToken: String(from + size) } : {};
  return { status: 200, body: { versions: page, totalSize: all.length, ...more } };
}

function got(secrets: Secrets, name: string): Reply {
  const secret = secrets.get(name);
  if (secret === undefined) return notFound(`Secret [${name}]`);
  const versionAliases = Object.fromEntries(Object.entries(secret.aliases).map(([alias, number]) => [alias, String(number)]));
  return { status: 200, body: { name, replication: { automatic: {} }, ...(Object.keys(versionAliases).length > 0 && { versionAliases }) } };
}

/** `$alt=json;enum-encoding=int` asks for numbers (https://cloud.google.com/apis/docs/system-parameters). */
function encoded(state: State, query: URLSearchParams): string | number {
  return query.get('$alt')?.includes('enum-encoding=int') === true ? states.indexOf(state) + 1 : state;
}

/** CRC-32C bit by bit: another way than the one that is tested with it. */
function checksum(bytes: Buffer): number {
  let crc = 0xff_ff_ff_ff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82_f6_3b_78 : crc >>> 1;
  }
  return (crc ^ 0xff_ff_ff_ff) >>> 0;
}
