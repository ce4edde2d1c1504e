import { buffer } from 'node:stream/consumers';
import type { CredentialSpec, Place } from '@rekey/crds/credential.ts';
import type { Answer, FakeCredential, FakePod } from '../pod.fake.ts';
import { call, startPod, until } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

// Two credentials for one host, github and notion.
let pod: FakePod;
let github: FakeCredential;
let notion: FakeCredential;
let seen: { target: string; fields: string[]; body: string }[];
/** What the upstream answers, by how often it was asked. */
let statuses: number[];
beforeAll(async () => {
  pod = await startPod();
  [github, notion] = pod.credentials as [FakeCredential, FakeCredential];
});
afterAll(() => pod.stop());
beforeEach(() => {
  seen = [];
  statuses = [];
  for (const one of pod.credentials) {
    Object.assign(one, { held: '7', newest: '7', failing: undefined, cold: false, reads: 0, grants: 0, reports: [] });
    set(one, { hosts: [pod.host], inject: [authorization], allow: undefined, refused: [{ status: 401 }], scrubResponses: false });
  }
  set(notion, { inject: [apiKey] });
  pod.handler = (request, response) =>
    void buffer(request).then((body) => {
      seen.push({ target: request.url ?? '', fields: request.rawHeaders, body: body.toString() });
      response.writeHead(statuses[seen.length - 1] ?? 200).end(`${request.headers.authorization} ${String(request.headers['x-api-key'])}`);
    });
});

const authorization: Place = { header: { name: 'Authorization', prefix: 'Bearer ' } };
const apiKey: Place = { header: { name: 'X-Api-Key' } };
const set = (one: FakeCredential, spec: Partial<CredentialSpec>): void => {
  one.current = { ...(one.current as CredentialSpec), ...spec };
};
const [G, N] = ['rekey-placeholder-github', 'rekey-placeholder-notion'];
const both = { authorization: `Bearer ${G}`, 'x-api-key': N };
const post = (body: string, headers: Record<string, string | string[]> = {}, path = '/'): Promise<Answer> =>
  call(
    pod,
    { method: 'POST', path, headers: { 'content-type': 'application/json', 'content-length': String(body.length), ...headers } },
    body,
  );

/** The placeholders and values of an exchange, as the letters that stand for them: `G` and `N`, `g7` and `n7`. */
function short(text: string): string {
  let told = text.replaceAll(G, 'G').replaceAll(N, 'N');
  for (const [letter, one] of [['g', github] as const, ['n', notion] as const]) {
    for (const version of ['7', '8']) {
      for (const form of [one.value(version), encodeURIComponent(one.value(version))]) told = told.replaceAll(form, letter + version);
    }
  }
  return told;
}
const fieldsOf = (at = 0): string[] =>
  (seen[at]?.fields ?? []).flatMap((name, index, all) =>
    index % 2 === 0 && /^(authorization|x-api-key)$/iu.test(name) ? [short(all[index + 1] ?? '')] : [],
  );

/** Of whom the audit's lines of the calls with this path tell, and whether it says that they were carried. */
async function told(path: string, lines: number): Promise<[unknown, unknown][]> {
  const those = (): Record<string, unknown>[] => pod.audit.filter((line) => line['path'] === path);
  await until(() => those().length >= lines);
  return those().map(({ credential, injected }) => [credential, injected]);
}

const calls: Record<string, [Record<string, string | string[]>, string[], string[]]> = {
  'the first': [{ authorization: `Bearer ${G}` }, ['Bearer g7'], ['github']],
  'the second': [{ 'x-api-key': N }, ['n7'], ['notion']],
  both: [both, ['Bearer g7', 'n7'], ['github', 'notion']],
  'none of them': [{ authorization: 'Bearer mine' }, ['Bearer mine'], []],
  'each at the place of the other': [{ authorization: `Bearer ${N}`, 'x-api-key': G }, [`Bearer N`, `G`], []],
};
test.each(Object.entries(calls))('a call carries what it holds: %s', async (_sentence, [headers, arrive, used]) => {
  const path = `/${used.join('-')}/${arrive.length}`;
  await call(pod, { headers, path });
  expect(fieldsOf()).toEqual(arrive);
  expect([github.grants, notion.grants]).toEqual(['github', 'notion'].map((name) => (used.includes(name) ? 1 : 0)));
  expect(await told(path, Math.max(1, used.length))).toEqual(used.length === 0 ? [['github', false]] : used.map((name) => [name, true]));
});

test('one header for both: each by its own placeholder, and a call with both is refused', async () => {
  set(notion, { inject: [authorization] });
  await call(pod, { headers: { authorization: `Bearer ${N}` } });
  await call(pod, { headers: { authorization: `bearer ${G}` } });
  expect([fieldsOf(0), fieldsOf(1)]).toEqual([['Bearer n7'], ['Bearer g7']]);
  const fields = ['Host', pod.host, 'Authorization', `Bearer ${G}`, 'authorization', `Bearer ${N}`];
  const { status, headers, body } = await call(pod, { headers: fields });
  expect([status, headers['rekey-error'], seen.length]).toEqual([400, 'RequestInvalid', 2]);
  expect(body.toString()).toContain('two credentials in the header authorization');
});

test('the twins of the header of each are dropped', async () => {
  await call(pod, {
    headers: ['Host', pod.host, 'Authorization', `Bearer ${G}`, 'x_api_key', 'x', 'X-Api-Key', N, 'authorization', 'Basic x'],
  });
  expect(fieldsOf()).toEqual(['Bearer g7', 'n7']);
  expect(seen[0]?.fields).not.toContain('x_api_key');
});

test('parameters and fields of a body: both values, each at its own', async () => {
  set(github, { inject: [{ query: { name: 'key' } }, { jsonField: { path: 'auth.token' } }] });
  set(notion, { inject: [{ query: { name: 'sig' }, when: 'Always' }, { jsonField: { path: 'token' } }] });
  const body = JSON.stringify({ token: N, auth: { token: G }, text: `${G} ${N}` });
  await call(
    pod,
    { method: 'POST', path: `/?a=${N}&key=${G}`, headers: { 'content-type': 'application/json', 'content-length': body.length } },
    body,
  );
  expect(short(seen[0]?.target ?? '')).toBe('/?a=N&key=g7&sig=n7');
  expect(short(seen[0]?.body ?? '')).toBe('{"token":"n7","auth":{"token":"g7"},"text":"G N"}');
});

test('two values for every call, where there was no parameter', async () => {
  set(github, { inject: [{ query: { name: 'a' }, when: 'Always' }] });
  set(notion, { inject: [{ query: { name: 'b' }, when: 'Always' }] });
  await call(pod, { path: '/x' });
  expect(short(seen[0]?.target ?? '')).toBe('/x?a=g7&b=n7');
});

test('the one that only the body holds is found, asked for and told of, with its own rule', async () => {
  set(notion, { inject: [{ jsonField: { path: 'token' } }], allow: [{ pathPrefix: '/ok' }] });
  const { status } = await post(`{"token":"${N}"}`, { authorization: `Bearer ${G}` });
  expect([status, seen.length]).toEqual([403, 0]);
  set(notion, { allow: undefined });
  await post(`{"token":"${N}"}`, { authorization: `Bearer ${G}` }, '/by-body');
  await post(`{"token":"${N}"}`, {}, '/by-body');
  expect(seen.map(({ body }) => short(body))).toEqual(['{"token":"n7"}', '{"token":"n7"}']);
  expect(await told('/by-body', 3)).toEqual([
    ['github', true],
    ['notion', true],
    ['notion', true],
  ]);
});

test('values that are read for the call are waited for, both', async () => {
  Object.assign(github, { cold: true });
  Object.assign(notion, { cold: true });
  await call(pod, { headers: both });
  expect(fieldsOf()).toEqual(['Bearer g7', 'n7']);
});

test('a source that fails keeps the calls that need it, and no others', async () => {
  notion.failing = 'SourceDenied';
  github.cold = true;
  const { status, headers } = await call(pod, { headers: both });
  expect([status, headers['rekey-error'], seen.length]).toEqual([503, 'SourceDenied', 0]);
  expect((await call(pod, { headers: { authorization: `Bearer ${G}` } })).status).toBe(200);
});

test('a refusal: both sources are asked, and the call is sent once more with what is newer', async () => {
  statuses = [401];
  notion.newest = '8';
  expect((await call(pod, { headers: both })).status).toBe(200);
  expect([fieldsOf(0), fieldsOf(1)]).toEqual([
    ['Bearer g7', 'n7'],
    ['Bearer g7', 'n8'],
  ]);
  expect([github.reads, notion.reads, github.reports, notion.reports]).toEqual([1, 1, [['7', true]], [['8', true]]]);
});

test('a refusal with a sign of one: its source alone is asked, and it alone is told', async () => {
  set(notion, { refused: [{ status: 422 }] });
  statuses = [422, 422];
  notion.newest = '8';
  expect((await call(pod, { headers: both })).status).toBe(422);
  expect([github.reads, notion.reads, github.reports, notion.reports]).toEqual([0, 1, [['7', true]], [['8', false]]]);
});

test('no version stays under way', async () => {
  statuses = [401];
  Object.assign(github, { newest: '8' });
  await call(pod, { headers: both });
  expect([...github.underWay.values(), ...notion.underWay.values()].every((count) => count === 0)).toBe(true);
  const metrics = await scrape(pod);
  expect(metrics).toMatch(/^rekey_calls_active\{credential="github"\} 0$/mu);
  expect(metrics).toMatch(/^rekey_calls_active\{credential="notion"\} 0$/mu);
});

test.each([
  ['both let it go', '/both', both, 200],
  ['one that it carries does not', '/github', both, 403],
  ['the other one, which it does not carry, does not', '/github', { authorization: `Bearer ${G}` }, 200],
  ['it carries none, and one lets it go', '/github', {}, 200],
  ['it carries none, and neither lets it go', '/', {}, 403],
])('allow, when %s', async (_name, path, headers, expected) => {
  set(github, { allow: [{ pathPrefix: '/github' }, { pathPrefix: '/both' }] });
  set(notion, { allow: [{ pathPrefix: '/both' }] });
  expect((await call(pod, { path, headers })).status).toBe(expected);
  expect(seen).toHaveLength(expected === 200 ? 1 : 0);
});

test('an answer with both values gets the placeholder of each', async () => {
  set(github, { scrubResponses: true });
  expect(short((await call(pod, { headers: both })).body.toString())).toBe('Bearer G n7');
  set(notion, { scrubResponses: true });
  expect(short((await call(pod, { headers: both })).body.toString())).toBe('Bearer G N');
});

test('what changes holds from the next call: one is deleted, comes to another host, or can be told apart no more', async () => {
  const tried = async (): Promise<string[]> => {
    seen = [];
    await call(pod, { headers: both });
    return fieldsOf().toSorted();
  };
  const { current } = notion;
  notion.current = undefined;
  expect(await tried()).toEqual(['Bearer g7', 'N']);
  notion.current = current;
  expect(await tried()).toEqual(['Bearer g7', 'n7']);
  set(notion, { hosts: ['elsewhere.test'] });
  expect(await tried()).toEqual(['Bearer g7', 'N']);
  set(notion, { hosts: [pod.host], inject: [apiKey, { ...authorization, when: 'Always' }] });
  expect(await tried()).toEqual(['Bearer g7', 'N']);
  const first = github.current;
  github.current = undefined;
  expect(await tried()).toEqual(['Bearer n7', 'n7']);
  github.current = first;
});
