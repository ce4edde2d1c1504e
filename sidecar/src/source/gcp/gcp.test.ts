import { inspect } from 'node:util';
import { Failure } from '@rekey/lib/reason.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import { json } from '../../upstream/https.fake.ts';
import type { Provider } from '../contract.fixture.ts';
import { bearsFaults } from '../contract.fixture.ts';
import type { Reading, Source } from '../source.ts';
import { unused } from '../unused.fixture.ts';
import type { FakeGCP } from './gcp.fake.ts';
import { fakeGCP, versionOf } from './gcp.fake.ts';
import { gcpSource } from './gcp.ts';

const reference = { gcpSecretManager: { secret: 'mcp-github' } };
const limits = { attempts: 3, attempt: 10_000, budget: 30_000, pause: 1 };
const provider = '//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/clusters/providers/cluster';
const path = '/v1/projects/tools-1/secrets/mcp-github/versions';
let gcp: FakeGCP;
let source: Source;
let jwt: string;

beforeEach(async () => {
  gcp = await fakeGCP();
  jwt = 'jwt-1';
  source = open();
});
afterEach(async () => {
  source.close();
  await gcp.server.close();
});

interface Opening {
  of?: FakeGCP;
  caBundle?: string;
  workloadIdentityProvider?: string;
  serviceAccount?: string;
  limits?: Limits;
}

function open({
  of = gcp,
  caBundle = of.server.ca,
  workloadIdentityProvider = provider,
  serviceAccount,
  limits: within = limits,
}: Opening = {}) {
  const endpoints = { endpoint: of.address, stsEndpoint: of.address, iamEndpoint: of.address, caBundle };
  const gcpSecretManager = { project: 'tools-1', workloadIdentityProvider, ...endpoints, ...(serviceAccount && { serviceAccount }) };
  const store = { gcpSecretManager, pollIntervalSeconds: 60 };
  return gcpSource({ name: 'gcp', store, token: () => Promise.resolve(`${jwt}\n`), lookup: of.server.lookup, ...unused }, within);
}

const read = (version?: string, of: object = {}): Promise<Reading> =>
  source.read({ gcpSecretManager: { ...reference.gcpSecretManager, ...of } }, version, new AbortController().signal);
const failureOf = async (reading: Promise<Reading>): Promise<Failure> => {
  const error: unknown = await reading.catch((error: unknown) => error);
  if (error instanceof Failure) return error;
  throw new Error(`no Failure: ${inspect(error)}`);
};

describe('a read', () => {
  test('exchanges the token of the pod once, and keeps the connection', async () => {
    const { value, version } = await read();
    expect({ value: value.reveal(), version }).toEqual({ value: 'sk-1', version: '1' });
    for (let more = 0; more < 5; more += 1) await read();
    expect(gcp.logins.map((form) => Object.fromEntries(form))).toEqual([
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        audience: provider,
        scope: 'https://www.googleapis.com/auth/cloud-platform',
        requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        subject_token: 'jwt-1',
      },
    ]);
    expect(gcp.impersonations).toEqual([]);
    expect(gcp.reads).toHaveLength(6);
    expect(gcp.server.connections()).toBe(1);
  });

  test('acts as the service account of the store', async () => {
    source.close();
    source = open({ serviceAccount: 'mcp@tools-1.iam.gserviceaccount.com' });
    for (let more = 0; more < 3; more += 1) await read();
    expect(gcp.impersonations).toEqual([
      {
        path: '/v1/projects/-/serviceAccounts/mcp@tools-1.iam.gserviceaccount.com:generateAccessToken',
        token: 'federated-1',
        body: { scope: ['https://www.googleapis.com/auth/cloud-platform'], lifetime: '3600s' },
      },
    ]);
  });

  test('asks for the newest, for a number or for an alias; the version is the number in each case', async () => {
    gcp.secrets.set('mcp-github', [versionOf('sk-1'), versionOf('sk-2')]);
    gcp.aliases.set('stable', 1);
    expect((await read()).version).toBe('2');
    expect((await read('1')).value.reveal()).toBe('sk-1');
    expect((await read('stable')).version).toBe('1');
    expect(gcp.reads).toEqual(['latest', '1', 'stable'].map((version) => `${path}/${version}:access`));
  });

  test('gives the user that the secret holds beside the password', async () => {
    gcp.secrets.set('mcp-github', [versionOf('{"username":"bot","password":"sk-in"}')]);
    const { value } = await read(undefined, { key: 'password', userKey: 'username' });
    expect([value.user?.reveal(), value.reveal()]).toEqual(['bot', 'sk-in']);
  });

  test('gives a key of a JSON secret, from the project that the reference names', async () => {
    gcp.secrets.set('mcp-github', [versionOf('{"oauth":{"token":"sk-in"}}')]);
    expect((await read(undefined, { key: 'oauth.token', project: 'other-2' })).value.reveal()).toBe('sk-in');
    expect(gcp.reads).toEqual(['/v1/projects/other-2/secrets/mcp-github/versions/latest:access']);
  });
});

describe('the reason why there is no value', () => {
  const off = (state: 'DISABLED' | 'DESTROYED') => () => gcp.secrets.set('mcp-github', [{ ...versionOf('sk-1'), state }]);
  const cases: Record<string, [() => unknown, string | undefined, string]> = {
    'no such secret': [() => gcp.secrets.clear(), undefined, 'SecretNotFound'],
    'no such secret, asked for a version': [() => gcp.secrets.clear(), '1', 'SecretNotFound'],
    'a secret without a version': [() => gcp.secrets.set('mcp-github', []), undefined, 'SecretNotFound'],
    'no such version of a secret that is there': [() => undefined, '9', 'VersionNotFound'],
    'no such alias of a secret that is there': [() => undefined, 'stable', 'VersionNotFound'],
    'no such version, the newest being disabled': [off('DISABLED'), '9', 'VersionNotFound'],
    'the newest version is disabled': [off('DISABLED'), undefined, 'VersionDisabled'],
    'a version is destroyed': [off('DESTROYED'), '1', 'VersionDestroyed'],
    'a key in KMS that may not be used': [() => (gcp.refusal = [400, 'FAILED_PRECONDITION']), undefined, 'SourceDenied'],
    'no permission': [() => (gcp.refusal = [403, 'PERMISSION_DENIED']), undefined, 'SourceDenied'],
    'a token that is not taken': [() => (gcp.refusal = [401, 'UNAUTHENTICATED']), undefined, 'SourceDenied'],
    'the quota is used up': [() => (gcp.refusal = [429, 'RESOURCE_EXHAUSTED']), undefined, 'SourceThrottled'],
    'a name that cannot be': [() => (gcp.refusal = [400, 'INVALID_ARGUMENT']), undefined, 'SecretNotFound'],
    'a code that nobody knows': [() => (gcp.refusal = [409, 'ABORTED']), undefined, 'SourceResponseInvalid'],
    'a payload that arrives damaged': [() => (gcp.checksum = '1'), undefined, 'SourceResponseInvalid'],
    'binary, not text': [() => gcp.secrets.set('mcp-github', [versionOf(Buffer.from([0xff, 0xfe]))]), undefined, 'SecretValueInvalid'],
    'an empty value': [() => gcp.secrets.set('mcp-github', [versionOf('')]), undefined, 'SecretValueEmpty'],
  };

  test.each(Object.entries(cases))('%s', async (_name, [prepare, version, reason]) => {
    prepare();
    const failure = await failureOf(read(version));
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('projects/tools-1/secrets/mcp-github in store gcp');
  });

  const strange: Record<string, object | string> = {
    'a version without a number': { name: 'projects/1/secrets/mcp-github/versions/latest', payload: { data: 'c2stMQ==' } },
    'no payload': { name: 'projects/1/secrets/mcp-github/versions/1' },
    'another kind of JSON': { token: 'sk-1' },
    'a list': [],
  };

  test.each(Object.entries(strange))('%s in place of a secret', async (_name, body) => {
    await read();
    gcp.fault = (_request, response) => {
      json(response, 200, body as object);
      return true;
    };
    expect((await failureOf(read())).reason).toBe('SourceResponseInvalid');
  });

  test.each([403, 404, 400])('a %s page that is not from Google does not count as its word', async (status) => {
    await read();
    gcp.fault = (_request, response) => {
      response.writeHead(status).end('<html>blocked</html>');
      return true;
    };
    expect((await failureOf(read())).reason).toBe('SourceResponseInvalid');
  });

  test('another version than the one that was asked for', async () => {
    gcp.fault = (request, response) => {
      if (!request.url?.includes(':access')) return false;
      json(response, 200, { name: 'projects/1/secrets/mcp-github/versions/2', payload: { data: 'c2stMQ==' } });
      return true;
    };
    expect((await failureOf(read('1'))).reason).toBe('SourceResponseInvalid');
  });
});

describe('the identity', () => {
  test('a token that ended: exactly one new login, with the token as it is now, and the read goes on', async () => {
    await read();
    gcp.tokens.clear();
    jwt = 'jwt-2';
    expect((await read()).version).toBe('1');
    expect(gcp.logins.map((form) => form.get('subject_token'))).toEqual(['jwt-1', 'jwt-2']);
    expect(gcp.reads).toHaveLength(3);
  });

  test('a token just made that is not taken: no second login', async () => {
    gcp.refusal = [401, 'UNAUTHENTICATED'];
    expect((await failureOf(read())).reason).toBe('SourceDenied');
    expect(gcp.logins).toHaveLength(1);
  });

  test('a permission that is missing is no reason for another login', async () => {
    await read();
    gcp.refusal = [403, 'PERMISSION_DENIED'];
    expect((await failureOf(read())).message).toContain('roles/secretmanager.secretAccessor');
    expect(gcp.logins).toHaveLength(1);
  });

  test('a provider that does not take the token: SourceDenied with the provider, and Secret Manager is not asked', async () => {
    source.close();
    source = open({ workloadIdentityProvider: provider.replace(/cluster$/u, 'other') });
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceDenied');
    expect(failure.message).toContain('providers/other');
    expect(gcp.reads).toEqual([]);
  });

  test('a service account that this principal may not be: SourceDenied with its name', async () => {
    source.close();
    source = open({ serviceAccount: 'root@tools-1.iam.gserviceaccount.com' });
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceDenied');
    expect(failure.message).toContain('root@tools-1.iam.gserviceaccount.com');
    expect(gcp.reads).toEqual([]);
  });

  test('many reads at once share one login', async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));
    expect(gcp.logins).toHaveLength(1);
    expect(gcp.server.connections()).toBeLessThanOrEqual(4);
  });

  test('a Google of another authority is not spoken to', async () => {
    source.close();
    source = open({ caBundle: '' });
    expect((await failureOf(read())).reason).toBe('SourceUnreachable');
    expect(gcp.logins).toEqual([]);
  });
});

describe('Google in trouble', () => {
  const start = async (): Promise<Provider> => {
    const faulty = await fakeGCP();
    return {
      fail: (answer) => {
        faulty.fault = (request, response) => {
          answer?.(request, response);
          return answer !== undefined;
        };
      },
      open: (within) => open({ of: faulty, limits: within }),
      reference,
      close: () => faulty.server.close(),
    };
  };
  bearsFaults(start);
});

test('no failure holds a token, a value or a word of Google', async () => {
  await read();
  const secrets = /federated-|jwt-1|sk-1|canary/u;
  gcp.refusal = [400, 'FAILED_PRECONDITION', 'canary sk-1'];
  expect(inspect(await failureOf(read()), { depth: 9, showHidden: true })).not.toMatch(secrets);
  expect(inspect(source, { depth: 12, showHidden: true })).not.toMatch(secrets);
});
