import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { Failure } from '@rekey/lib/reason.ts';
import type { Limits } from '@rekey/lib/attempts.ts';
import type { Provider } from '../contract.fixture.ts';
import { bearsFaults } from '../contract.fixture.ts';
import type { Reading, Source } from '../source.ts';
import type { FakeVault } from './vault.fake.ts';
import { fakeVault } from './vault.fake.ts';
import { unused } from '../unused.fixture.ts';
import { vaultSource } from './vault.ts';

const reference = { vault: { path: 'mcp/github', key: 'token' } };
const limits = { attempts: 3, attempt: 10_000, budget: 30_000, pause: 1 };
let vault: FakeVault;
let source: Source;
let jwt: string;

beforeEach(async () => {
  vault = await fakeVault();
  jwt = 'jwt-1';
  source = open();
});
afterEach(async () => {
  source.close();
  await vault.server.close();
});

function open(over: Partial<{ role: string; mount: string; caBundle: string; limits: Limits; of: FakeVault }> = {}): Source {
  const { role = 'mcp', mount = 'kubernetes', of = vault, caBundle = of.server.ca } = over;
  const kubernetes = { mount, role, operatorRole: 'rekey-operator', audience: 'vault' };
  const store = { vault: { address: of.address, caBundle, mount: 'kv', auth: { kubernetes } }, pollIntervalSeconds: 10 };
  const token = (): Promise<string> => Promise.resolve(`${jwt}\n`);
  return vaultSource({ name: 'default', store, token, lookup: of.server.lookup, ...unused }, over.limits ?? limits);
}

const read = (version?: string, of: object = reference): Promise<Reading> => source.read(of, version, new AbortController().signal);
const failureOf = async (reading: Promise<Reading>): Promise<Failure> => {
  const error: unknown = await reading.catch((error: unknown) => error);
  if (error instanceof Failure) return error;
  throw new Error(`no Failure: ${inspect(error)}`);
};

describe('a read', () => {
  test('logs in once with the token of the pod, and keeps the connection', async () => {
    const { value, version } = await read();
    expect({ value: value.reveal(), version }).toEqual({ value: 'sk-1', version: '1' });
    for (let more = 0; more < 5; more += 1) await read();
    expect(vault.logins).toEqual([{ role: 'mcp', jwt: 'jwt-1' }]);
    expect(vault.reads).toHaveLength(6);
    expect(vault.server.connections()).toBe(1);
  });

  test('gives the user that the secret holds beside the password', async () => {
    vault.secrets.set('mcp/jira', [{ data: { user: 'bot', password: 'sk-in' } }]);
    const { value } = await read(undefined, { vault: { path: 'mcp/jira', key: 'password', userKey: 'user' } });
    expect([value.user?.reveal(), value.reveal()]).toEqual(['bot', 'sk-in']);
  });

  test('of many credentials at once shares one login', async () => {
    await Promise.all(Array.from({ length: 20 }, () => read()));
    expect(vault.logins).toHaveLength(1);
    expect(vault.server.connections()).toBeLessThanOrEqual(4);
  });

  test('asks for the newest, or for exactly the version that is wanted', async () => {
    vault.secrets.set('mcp/github', [{ data: { token: 'sk-1' } }, { data: { token: 'sk-2' } }]);
    expect((await read()).version).toBe('2');
    expect((await read('1')).value.reveal()).toBe('sk-1');
    expect(vault.reads.map(({ path }) => path)).toEqual(['/v1/kv/data/mcp/github', '/v1/kv/data/mcp/github?version=1']);
  });

  test('goes to the mount that the reference names', async () => {
    await failureOf(read(undefined, { vault: { ...reference.vault, mount: 'team/kv' } }));
    expect(vault.reads[0]?.path).toBe('/v1/team/kv/data/mcp/github');
  });
});

describe('the reason why there is no value', () => {
  const cases: Record<string, [() => void, string | undefined, string]> = {
    'no such secret': [() => vault.secrets.clear(), undefined, 'SecretNotFound'],
    'no such secret, asked for a version': [() => vault.secrets.clear(), '1', 'SecretNotFound'],
    'no such version of a secret that is there': [() => undefined, '9', 'VersionNotFound'],
    'no such version, the newest being deleted': [() => vault.secrets.set('mcp/github', [{ state: 'deleted' }]), '9', 'VersionNotFound'],
    'the newest version is deleted': [() => vault.secrets.set('mcp/github', [{ state: 'deleted' }]), undefined, 'VersionDeleted'],
    'a version is destroyed': [() => vault.secrets.set('mcp/github', [{ state: 'destroyed' }, { data: {} }]), '1', 'VersionDestroyed'],
    'version 0, which Vault takes for the newest': [() => undefined, '0', 'VersionNotFound'],
    'no such key': [() => vault.secrets.set('mcp/github', [{ data: { other: 'x' } }]), undefined, 'KeyNotFound'],
    'a value that no request can carry': [
      () => vault.secrets.set('mcp/github', [{ data: { token: 'sk\n1' } }]),
      undefined,
      'SecretValueInvalid',
    ],
  };

  test.each(Object.entries(cases))('%s', async (_name, [prepare, version, reason]) => {
    prepare();
    const failure = await failureOf(read(version));
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('kv/mcp/github in store default');
  });
});

describe('the identity', () => {
  test('a token that was revoked: exactly one new login, and the read goes on', async () => {
    await read();
    vault.tokens.clear();
    jwt = 'jwt-2';
    expect((await read()).version).toBe('1');
    expect(vault.logins.map((login) => login.jwt)).toEqual(['jwt-1', 'jwt-2']);
    expect(vault.reads).toHaveLength(3);
  });

  test('a policy that does not let in: one new login, then SourceDenied with the role and the path', async () => {
    await read();
    vault.fault = (request, response) => request.method === 'GET' && denied(response);
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceDenied');
    expect(failure.message).toContain('role mcp may not read kv/mcp/github');
    expect(vault.logins).toHaveLength(2);
    expect(vault.reads).toHaveLength(3);
  });

  test('a policy that does not let in a token just made: no second login', async () => {
    vault.fault = (request, response) => request.method === 'GET' && denied(response);
    expect((await failureOf(read())).reason).toBe('SourceDenied');
    expect(vault.logins).toHaveLength(1);
  });

  test.each([{ role: 'nobody' }, { mount: 'elsewhere' }])('a login that is refused: %j', async (over) => {
    source.close();
    source = open(over);
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceDenied');
    expect(failure.message).toContain(over.role ?? 'role mcp');
    expect(vault.reads).toEqual([]);
  });

  test('a pod without a token for the store', async () => {
    const token = (): Promise<string> => Promise.reject(new Error('ENOENT'));
    const kubernetes = { mount: 'kubernetes', role: 'mcp', operatorRole: 'o', audience: 'vault' };
    const store = { vault: { address: vault.address, mount: 'kv', auth: { kubernetes } }, pollIntervalSeconds: 10 };
    source.close();
    source = vaultSource({ name: 'default', store, token, lookup: vault.server.lookup, ...unused }, limits);
    expect((await failureOf(read())).reason).toBe('SourceDenied');
  });

  test('a vault of another authority is not spoken to', async () => {
    const other = await fakeVault(true);
    source.close();
    source = open({ caBundle: other.server.ca });
    expect((await failureOf(read())).reason).toBe('SourceUnreachable');
    expect(vault.logins).toEqual([]);
    await other.server.close();
  });

  test('nor is one verified with the public roots when no bundle is given', async () => {
    source.close();
    source = open({ caBundle: '' });
    expect((await failureOf(read())).reason).toBe('SourceUnreachable');
    expect(vault.logins).toEqual([]);
  });
});

type Fault = (request: IncomingMessage, response: ServerResponse) => void;
const answers =
  (status: number, body = '{"errors":["x"]}'): Fault =>
  (_request, response) =>
    response.writeHead(status).end(body);
const denied = (response: ServerResponse): boolean => {
  response.writeHead(403).end('{"errors":["1 error occurred: permission denied"]}');
  return true;
};

describe('a vault in trouble', () => {
  const start = async (): Promise<Provider> => {
    const faulty = await fakeVault();
    return {
      fail: (answer) => {
        faulty.fault = (request, response) => {
          answer?.(request, response);
          return answer !== undefined;
        };
      },
      open: (limits) => open({ limits, of: faulty }),
      reference,
      close: () => faulty.server.close(),
    };
  };
  bearsFaults(start, { '503': 'SourceSealed' });

  const lasting: Record<string, Fault> = {
    'JSON that is no secret': answers(200, '{"data":{"token":"sk-1"}}'),
    'a secret without a version': answers(200, '{"data":{"data":{"token":"sk-1"}}}'),
    'a list': answers(200, '[]'),
    nothing: answers(204, ''),
    'a 404 page that is not from Vault': answers(404, '<html>no such site</html>'),
    'a 403 page that is not from Vault': answers(403, '<html>blocked</html>'),
    'a teapot': answers(418),
  };

  test.each(Object.entries(lasting))('%s is SourceResponseInvalid, at the first attempt', async (_name, fault) => {
    await read();
    vault.reads.length = 0;
    vault.fault = (request, response) => {
      if (request.method === 'POST') return false;
      fault(request, response);
      return true;
    };
    const failure = await failureOf(read());
    expect(failure.reason).toBe('SourceResponseInvalid');
    expect(failure.message).not.toContain('sk-1');
    expect(vault.reads).toHaveLength(1);
  });

  test('the login is tried again, too', async () => {
    let left = 2;
    vault.fault = (_request, response) => {
      left -= 1;
      if (left >= 0) answers(500)(_request, response);
      return left >= 0;
    };
    expect((await read()).version).toBe('1');
    expect(vault.logins).toHaveLength(3);
  });
});

test('no failure holds a token, a value or a word of the vault', async () => {
  await read();
  const secrets = /hvs\.token|jwt-1|sk-1|permission denied/u;
  vault.fault = (_request, response) => denied(response);
  expect(inspect(await failureOf(read()), { depth: 9, showHidden: true })).not.toMatch(secrets);
  vault.fault = (_request, response) => {
    answers(500, '{"errors":["sk-1 hvs.token-1 permission denied"]}')(_request, response);
    return true;
  };
  expect(inspect(await failureOf(read()), { depth: 9, showHidden: true })).not.toMatch(secrets);
  expect(inspect(source, { depth: 9, showHidden: true })).not.toMatch(secrets);
});
