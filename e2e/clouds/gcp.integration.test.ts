import { generateKeyPairSync } from 'node:crypto';
import { lookup } from 'node:dns';
import type { AddressInfo } from 'node:net';
import { storeSpec } from '@rekey/crds/store.ts';
import type { Store } from '@rekey/crds/store.ts';
import { Failure } from '@rekey/lib/reason.ts';
import { keyId, signedToken } from '@rekey/lib/token.fixture.ts';
import { gcpMetadata } from '@rekey/operator/poll/gcp.ts';
import { systemClock } from '@rekey/operator/clock.ts';
import type { MetadataSource } from '@rekey/operator/poll/poll.ts';
import { issue } from '@rekey/sidecar/tls/issue.ts';
import { bearsFaults } from '@rekey/sidecar/source/contract.fixture.ts';
import { gcpSource } from '@rekey/sidecar/source/gcp/gcp.ts';
import { keepsPromises } from '@rekey/sidecar/source/promises.fixture.ts';
import type { Owner } from '@rekey/sidecar/source/promises.fixture.ts';
import type { Reading, Source } from '@rekey/sidecar/source/source.ts';
import { unused } from '@rekey/sidecar/source/unused.fixture.ts';
import { control, front } from './gcp-front.ts';
import type { GCP } from './gcp-front.ts';
import { documentedGrants } from './gcp-grants.ts';
import type { Grant } from './gcp-iam.ts';

// The stand-in of Google, with the grants that the documentation tells people to make.
const issuer = 'https://cluster.example';
const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const provider = '//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/rekey/providers/cluster';
const secretName = 'projects/my-project/secrets/mcp-github';
let gcp: GCP;
let server: ReturnType<typeof front>;
let ca: string;
let port: number;

beforeAll(async () => {
  const keys = [{ ...signer.publicKey.export({ format: 'jwk' }), kid: keyId }];
  const nobody = { grants: [], tokens: new Map(), secrets: new Map(), reads: new Map(), counts: {}, fault: () => false };
  gcp = { issuer: { issuer, keys: () => Promise.resolve(keys) }, provider, ...nobody };
  const pki = await issue({ hosts: ['localhost'], now: Date.now() });
  ca = pki.ca.certificate;
  server = front(gcp, { key: pki.leaf.key, cert: pki.leaf.certificate });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
}, 60_000);
afterAll(() => {
  server?.closeAllConnections();
  server?.close();
});
beforeEach(() => fresh());

const owner = async (name: string, input: object): Promise<{ version?: string }> => {
  const reply = await control(gcp)[name]?.(input as Record<string, unknown>);
  if (reply === undefined || reply.status >= 300) throw new Error(`the stand-in answered ${reply?.status} to ${name}`);
  return reply.body ?? {};
};
const write = async (value: string): Promise<string> => String((await owner('POST /add', { secret: secretName, value })).version);

function fresh(): void {
  gcp.fault = () => false;
  gcp.grants = documentedGrants();
  gcp.secrets.clear();
  gcp.reads.clear();
  gcp.tokens.clear();
  gcp.counts = {};
}

/** A token as the API server makes it. */
function tokenOf(sub: string, aud: string = `https:${provider}`, claims: object = {}): string {
  return signedToken({ iss: issuer, sub, aud: [aud], ...claims }, signer.privateKey);
}

const pod = 'system:serviceaccount:tools:default';
const operator = 'system:serviceaccount:rekey-system:rekey-operator';
const reference = { gcpSecretManager: { secret: 'mcp-github' } };

const storeAt = (at: number, over: object = {}): Store['spec'] => {
  const address = `https://localhost:${at}`;
  const place = { endpoint: address, stsEndpoint: address, iamEndpoint: address, caBundle: ca };
  return storeSpec.parse({ gcpSecretManager: { project: 'my-project', workloadIdentityProvider: provider, ...place, ...over } });
};

const open = (
  token = tokenOf(pod),
  over: object = {},
  ...limits: Parameters<typeof gcpSource> extends [unknown, ...infer L] ? L : never
): Source => gcpSource({ name: 'gcp', store: storeAt(port, over), lookup, token: () => Promise.resolve(token), ...unused }, ...limits);

/** A reading, or the reason why there is none. */
async function read(source: Source, version?: string, of: object = {}): Promise<Reading | string> {
  try {
    return await source.read({ gcpSecretManager: { ...reference.gcpSecretManager, ...of } }, version, new AbortController().signal);
  } catch (error) {
    return error instanceof Failure ? error.reason : `no Failure: ${String(error)}`;
  } finally {
    source.close();
  }
}
const valueOf = (reading: Reading | string): string =>
  typeof reading === 'string' ? reading : `${reading.version} ${reading.value.reveal()}`;

describe('a credential of GCP Secret Manager', () => {
  keepsPromises((): Promise<Owner> => {
    const state = (name: string) => (): Promise<unknown> =>
      owner('POST /state', { secret: secretName, version: gcp.secrets.get(secretName)?.versions.length, state: name });
    return Promise.resolve({
      source: reference,
      store: storeAt,
      port,
      lookup,
      token: () => Promise.resolve(tokenOf(pod)),
      write,
      missing: '99',
      mend: () => Promise.resolve(fresh()),
      spoils: {
        'the newest version is disabled': { spoil: state('DISABLED'), reason: 'VersionDisabled' },
        'the newest version is destroyed': { spoil: state('DESTROYED'), reason: 'VersionDestroyed' },
        'the secret is gone': { spoil: () => owner('POST /delete', { secret: secretName }), reason: 'SecretNotFound' },
        'the grant is taken back': { spoil: () => Promise.resolve((gcp.grants = [])), reason: 'SourceDenied' },
      },
    });
  });
});

describe('Google in trouble', () => {
  bearsFaults(async () => {
    await write('sk-1');
    return {
      fail: (answer) => {
        gcp.fault = (request, response) => {
          answer?.(request, response);
          return answer !== undefined;
        };
      },
      open: (limits) => open(tokenOf(pod), {}, limits),
      reference,
      close: () => Promise.resolve(fresh()),
    };
  });
});

describe('what is read', () => {
  test('the newest, a number or an alias; the version is the number in each case', async () => {
    await write('sk-1');
    await write('sk-2');
    await owner('PUT /alias', { secret: secretName, alias: 'stable', version: 1 });
    expect(valueOf(await read(open()))).toBe('2 sk-2');
    expect(valueOf(await read(open(), '1'))).toBe('1 sk-1');
    expect(valueOf(await read(open(), 'stable'))).toBe('1 sk-1');
  });

  test('a field of a JSON secret, of another project too', async () => {
    await owner('POST /add', { secret: 'projects/other/secrets/mcp-github', value: '{"a":{"b":"sk-in"}}' });
    gcp.grants = gcp.grants.map((grant) => ({ ...grant, resource: 'projects/other' }));
    expect(valueOf(await read(open(), undefined, { project: 'other', key: 'a.b' }))).toBe('1 sk-in');
  });

  const missing: Record<string, [() => Promise<unknown>, string | undefined, string]> = {
    'no such secret': [() => Promise.resolve(), undefined, 'SecretNotFound'],
    'no such secret, asked for a version': [() => Promise.resolve(), '1', 'SecretNotFound'],
    'no such version': [() => write('sk-1'), '9', 'VersionNotFound'],
    'no such alias': [() => write('sk-1'), 'stable', 'VersionNotFound'],
    'no such version, the newest being disabled': [
      async () => owner('POST /state', { secret: secretName, version: await write('sk-1'), state: 'DISABLED' }),
      '9',
      'VersionNotFound',
    ],
    'an empty value': [() => write(''), undefined, 'SecretValueEmpty'],
  };
  test.each(Object.entries(missing))('%s', async (_name, [prepare, version, reason]) => {
    await prepare();
    expect(await read(open(), version)).toBe(reason);
  });

  test('a value that was changed on its way is not used', async () => {
    await write('sk-1');
    gcp.fault = (request, response) => {
      if (request.url?.includes(':access') !== true) return false;
      const body = JSON.stringify({
        name: `${secretName}/versions/1`,
        payload: { data: Buffer.from('sk-2').toString('base64'), dataCrc32c: '1' },
      });
      response.writeHead(200, { 'content-type': 'application/json' }).end(body);
      return true;
    };
    expect(await read(open())).toBe('SourceResponseInvalid');
  });

  test('an access token that is over is replaced by one login, without a failed read', async () => {
    await write('sk-1');
    const source = open();
    await source.read(reference, undefined, new AbortController().signal);
    gcp.tokens.clear();
    expect(valueOf(await read(source))).toBe('1 sk-1');
    expect(gcp.counts).toMatchObject({ token: 2, access: 3 });
  });
});

describe('the identities of the page', () => {
  beforeEach(() => write('sk-identity'));

  test('the token of a sidecar reads the value', async () => {
    expect(valueOf(await read(open()))).toBe('1 sk-identity');
  });

  test.each([
    ["the app container's own token, for the API server", () => tokenOf(pod, 'https://kubernetes.default.svc')],
    ['a token of another namespace', () => tokenOf('system:serviceaccount:other:default')],
    ["the operator's token", () => tokenOf(operator)],
    ['a token that has ended', () => tokenOf(pod, `https:${provider}`, { exp: 1 })],
    ['a token of another issuer', () => tokenOf(pod, `https:${provider}`, { iss: 'https://evil.example' })],
    ['no token', () => 'none'],
  ])('%s is refused the value', async (_name, token) => {
    expect(await read(open(token()))).toBe('SourceDenied');
  });

  const metadata = (token: string, over: object = {}): MetadataSource =>
    gcpMetadata({
      store: { metadata: { name: 'gcp' }, spec: storeAt(port, over) },
      token: () => Promise.resolve(token),
      identity: 'rekey-system/rekey-operator',
      clock: systemClock,
      random: Math.random,
    });

  test('the operator sees versions, states and aliases', async () => {
    await write('sk-2');
    await owner('POST /state', { secret: secretName, version: 1, state: 'DISABLED' });
    await owner('PUT /alias', { secret: secretName, alias: 'stable', version: 1 });
    const source = metadata(tokenOf(operator));
    expect(await source.versions(reference)).toEqual({ current: '2', states: { 1: 'Disabled', 2: 'Live' }, aliases: { stable: '1' } });
    expect(gcp.counts['access']).toBeUndefined();
    source.close();
  });

  test('a pod does not see the metadata', async () => {
    const source = metadata(tokenOf(pod));
    await expect(source.versions(reference)).rejects.toMatchObject({ reason: 'SourceDenied' });
    source.close();
  });

  test('above the quota of the project the operator is told so', async () => {
    gcp.reads.set(
      'projects/my-project',
      Array.from({ length: 600 }, () => Date.now()),
    );
    const source = metadata(tokenOf(operator));
    await expect(source.versions(reference)).rejects.toMatchObject({ reason: 'SourceThrottled' });
    source.close();
    expect(valueOf(await read(open()))).toBe('1 sk-identity');
  });

  test('a service account to act as has the grants, and the pod the right to act as it', async () => {
    const email = 'mcp@my-project.iam.gserviceaccount.com';
    const [access] = documentedGrants();
    gcp.grants = [{ ...(access as Grant), member: `serviceAccount:${email}` }];
    const over = { serviceAccount: email };
    expect(await read(open(tokenOf(pod), over))).toBe('SourceDenied');
    gcp.grants.push({ member: access?.member ?? '', role: 'roles/iam.workloadIdentityUser', resource: `serviceAccounts/${email}` });
    expect(valueOf(await read(open(tokenOf(pod), over)))).toBe('1 sk-identity');
    expect(await read(open(tokenOf('system:serviceaccount:other:default'), over))).toBe('SourceDenied');
  });
});
