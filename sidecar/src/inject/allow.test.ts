import type { Allowed } from '@rekey/crds/credential.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, startPod, until } from '../pod.fake.ts';

let pod: FakePod;
let arrived: (string | undefined)[] = [];
beforeAll(async () => {
  pod = await startPod();
  pod.handler = (request, response) => {
    arrived.push(request.url);
    response.end('ok');
  };
});
afterAll(() => pod.stop());
beforeEach(() => {
  arrived = [];
});

const readRepos: Allowed[] = [
  { methods: ['GET', 'HEAD'], pathPrefix: '/repos/acme' },
  { methods: ['POST'], pathPrefix: '/repos/acme/tools/issues' },
];

async function answerTo(method: string, path: string, allow: Allowed[] | undefined = readRepos): Promise<[number, unknown]> {
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, ...(allow === undefined ? {} : { allow }) };
  const { status, headers } = await call(pod, { method, path, headers: bearer });
  return [status, headers['rekey-error']];
}

const passes: Record<string, [string, string, Allowed[]?]> = {
  'the prefix itself': ['GET', '/repos/acme'],
  'what is below it, with a query that looks like a climb': ['GET', '/repos/acme/tools?path=/../..//x'],
  'by another entry': ['POST', '/repos/acme/tools/issues'],
  'unreserved characters that are encoded': ['GET', '/repos/%61cme/tools'],
  'a slash that is encoded in a name': ['GET', '/projects/a%2fb/issues', [{ pathPrefix: '/projects/a%2Fb' }]],
  'three dots': ['GET', '/repos/acme/...'],
  'any method below a prefix with a slash at its end': ['DELETE', '/repos/acme/x', [{ pathPrefix: '/repos/' }]],
  'any path with the method': ['PUT', '/any', [{ methods: ['PUT'] }]],
};

test.each(Object.entries(passes))('a call passes that is allowed: %s', async (_name, [method, path, allow]) => {
  expect(await answerTo(method, path, allow)).toEqual([200, undefined]);
  expect(arrived).toEqual([path]);
});

const stays: Record<string, [string, string]> = {
  'another method': ['DELETE', '/repos/acme/tools'],
  'another path': ['GET', '/user'],
  'a path that only begins like it': ['GET', '/repos/acme-old'],
  'a climb': ['GET', '/repos/acme/../other'],
  'an encoded climb': ['GET', '/repos/acme/%2e%2E/other'],
  'a climb over encoded slashes': ['GET', '/repos/acme/x%2f..%2f..%2fother'],
  'a climb with a parameter': ['GET', '/repos/acme/..;a=b/other'],
  'a climb with an encoded parameter': ['GET', '/repos/acme/..%3Ba/other'],
  'a climb over backslashes': ['GET', String.raw`/repos/acme/..\other`],
  'a climb over encoded backslashes': ['GET', '/repos/acme/..%5cother'],
  'a climb that is encoded twice': ['GET', '/repos/acme/%252e%252e/other'],
  'a dot': ['GET', '/repos/acme/./tools'],
  'an empty segment': ['GET', '/repos/acme//tools'],
  'a NUL': ['GET', '/repos/acme/tools%00'],
  'a per cent sign that encodes nothing': ['GET', '/repos/acme/%zz'],
};

test.each(Object.entries(stays))('a call stays here that is not allowed: %s', async (_name, [method, path]) => {
  expect(await answerTo(method, path)).toEqual([403, 'CallNotAllowed']);
  expect(arrived).toEqual([]);
});

test('what is not allowed is told in the audit, and asks for no value', async () => {
  const before = pod.credential.grants;
  await answerTo('DELETE', '/user/secret');
  await until(() => pod.audit.some(({ path }) => path === '/user/secret'));
  expect(pod.audit.at(-1)).toMatchObject({ path: '/user/secret', status: 403, reason: 'CallNotAllowed', injected: false });
  expect(pod.credential.grants).toBe(before);
});
