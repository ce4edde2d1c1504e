import { buffer } from 'node:stream/consumers';
import type { Place } from '@rekey/crds/credential.ts';
import type { Answer, FakePod } from '../pod.fake.ts';
import { answerTo, bearer, call, placeholder, startPod, until } from '../pod.fake.ts';

let pod: FakePod;
let seen: { body: string; fields: string[]; length: string | undefined }[];
beforeAll(async () => {
  pod = await startPod();
});
afterAll(() => pod.stop());
beforeEach(() => {
  seen = [];
  Object.assign(pod.credential, { given: undefined, held: '7', newest: '7' });
  pod.handler = (request, response) =>
    void buffer(request).then((body) => {
      seen.push({ body: body.toString(), fields: request.rawHeaders, length: request.headers['content-length'] });
      response.end();
    });
});

const token: Place = { jsonField: { path: 'token' } };
const nested: Place = { jsonField: { path: 'auth.token' } };
const always = (place: Place): Place => ({ ...place, when: 'Always' });

function put(...inject: Place[]): void {
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, inject };
}

const json = { 'content-type': 'application/json' };
const post = (body: string | Buffer, headers: object = json): Promise<Answer> =>
  call(pod, { method: 'POST', headers: { 'content-length': Buffer.byteLength(body), ...headers } }, body);

/** In a body `P` stands for the placeholder, `V` for the value as JSON escapes it. */
const given = (text: string): string => text.replaceAll('P', placeholder);
const arrives = (text: string): string => given(text).replaceAll('V', JSON.stringify(pod.credential.value('7')).slice(1, -1));

const replaced: Record<string, [Place[], string, string]> = {
  'at the top': [[token], '{"token":"P"}', '{"token":"V"}'],
  'within an object': [[nested], '{"auth":{"token":"P"}}', '{"auth":{"token":"V"}}'],
  'at two places': [[token, nested], '{"token":"P","auth":{"token":"P"}}', '{"token":"V","auth":{"token":"V"}}'],
  'and all other bytes stay': [
    [token],
    '\n{ "n" : 1.50e+3,\t"big":12345678901234567890, "é":"\\u00e9\\/", "token" :  "P" , "x":"P" } \r\n',
    '\n{ "n" : 1.50e+3,\t"big":12345678901234567890, "é":"\\u00e9\\/", "token" :  "V" , "x":"P" } \r\n',
  ],
};
test.each(Object.entries(replaced))('the field gets the value: %s', async (_sentence, [places, body, there]) => {
  put(...places);
  await post(given(body));
  expect(seen).toMatchObject([{ body: arrives(there), length: String(Buffer.byteLength(arrives(there))) }]);
});

test('the value is escaped as JSON has it', async () => {
  put(token);
  pod.credential.given = String.raw`a"b\c-0123456789`;
  await post(given('{"token":"P"}'));
  expect(seen[0]?.body).toBe(String.raw`{"token":"a\"b\\c-0123456789"}`);
});

const stays: Record<string, [string, object?]> = {
  'in another field': ['{"title":"P","tokens":"P"}'],
  'in a field of the name elsewhere': ['{"issue":{"token":"P"},"list":[{"token":"P"}]}'],
  'with more text': ['{"token":"P "}'],
  'in a list': ['[{"token":"P"}]'],
  'in an object in its place': ['{"token":{"token":"P"}}'],
  'in a body that is not JSON': ['{"token":"P",}'],
  'in a body of another type': ['{"token":"P"}', { 'content-type': 'text/plain' }],
  'in a body without a type': ['{"token":"P"}', {}],
};
test.each(Object.entries(stays))('a placeholder stays one, and the source is not asked: %s', async (_sentence, [body, headers]) => {
  put(token);
  const before = pod.credential.grants;
  await post(given(body), headers);
  expect(seen).toMatchObject([{ body: given(body) }]);
  expect(pod.credential.grants).toBe(before);
});

const put_in: Record<string, [Place[], string, string]> = {
  'a field that holds something else': [[token], '{"token":{"a":[1]},"b":2}', '{"token":"V","b":2}'],
  'a field that is not there': [[token], '{ "b":2}', '{"token":"V", "b":2}'],
  'an empty object': [[token], '{}', '{"token":"V"}'],
  'an object within': [[nested], '{"auth":{"a":1}}', '{"auth":{"token":"V","a":1}}'],
  'two fields of an empty object': [[token, { jsonField: { path: 'key' } }], '{}', '{"token":"V","key":"V"}'],
  'a field once, though it is named twice': [[token, token], '{"a":1}', '{"token":"V","a":1}'],
  'a field that holds the place of another': [[nested, { jsonField: { path: 'auth' } }], '{"auth":{"token":1}}', '{"auth":"V"}'],
  'no list': [[token], '[1]', '[1]'],
  'no field whose object is not there': [[nested], '{"auth":null}', '{"auth":null}'],
};
test.each(Object.entries(put_in))('with when: Always the value is put into %s', async (_sentence, [places, body, there]) => {
  put(...places.map(always));
  await post(body, { 'content-type': 'application/vnd.api+json; charset=utf-8' });
  expect(seen).toMatchObject([{ body: arrives(there) }]);
});

test.each([
  ['the placeholder and something else', token, '{"token":"P","token":"x"}'],
  ['the placeholder in an escaped name', token, String.raw`{"token":"x","tok\u0065n":"P"}`],
  ['two objects on the way', nested, '{"auth":{"token":"P"},"auth":{}}'],
  ['a value for every call', always(token), '{"token":1,"token":2}'],
])('a field that is there twice could be read in two ways: nothing leaves (%s)', async (_name, place, body) => {
  put(place);
  const { status, headers, body: told } = await post(given(body));
  expect([status, headers['rekey-error'], seen]).toEqual([400, 'RequestInvalid', []]);
  expect(told.toString()).toContain('more than once');
});

const large = `{"a":"${'x'.repeat(1024 * 1024)}","token":"${placeholder}"}`;
test.each([['content-length'], ['transfer-encoding']])('a body over 1 MiB is refused, and the connection goes on: %s', async (framing) => {
  put(token);
  const headers = { ...json, [framing]: framing === 'content-length' ? String(large.length) : 'chunked' };
  const { status, headers: told } = await call(pod, { method: 'POST', headers }, large);
  expect([status, told['rekey-error'], told['connection'], seen]).toEqual([413, 'BodyTooLarge', undefined, []]);
  expect((await post(given('{"token":"P"}'))).status).toBe(200);
  expect(pod.written).not.toContain(placeholder);
});

test('a body of 1 MiB passes, and one of any size where no body can hold the value', async () => {
  put(token);
  const most = `{"token":"${placeholder}","a":"${'x'.repeat(1024 * 1024)}`.slice(0, 1024 * 1024 - 2);
  await post(`${most}"}`);
  expect(seen[0]?.body).toContain(`"token":"${pod.credential.value('7')}"`);
  put({ header: { name: 'Authorization', prefix: 'Bearer ' } });
  await post(large, { ...json, ...bearer });
  expect(seen[1]?.body).toBe(large);
  put(token);
  await post(large, { 'content-type': 'application/octet-stream' });
  expect(seen[2]?.body).toBe(large);
});

test('a compressed body cannot be looked into, and is refused with what to do', async () => {
  put(token);
  const { status, headers, body } = await post('x', { ...json, 'content-encoding': 'gzip' });
  expect([status, headers['rekey-error'], headers['accept-encoding'], seen]).toEqual([415, 'BodyNotSearchable', 'identity', []]);
  expect(body.toString()).toContain('send it without Content-Encoding');
});

test('a chunked body leaves with its length, without trailers', async () => {
  put(token);
  const headers = { ...json, 'transfer-encoding': 'chunked', trailer: 'x-sum' };
  const request = pod.request({ method: 'POST', headers });
  for (const piece of ['{"tok', 'en":"rekey-place', 'holder-github"', '}']) {
    request.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  request.addTrailers({ 'X-Sum': '1' });
  (await answerTo(request.end())).resume();
  const whole = arrives('{"token":"V"}');
  expect(seen).toMatchObject([{ body: whole, length: String(whole.length) }]);
  expect(seen[0]?.fields.join()).not.toMatch(/chunked|x-sum/iu);
});

test('a client that waits for 100 Continue is told to go on', async () => {
  put(token);
  const body = given('{"token":"P"}');
  const request = pod.request({ method: 'POST', headers: { ...json, 'content-length': body.length, expect: '100-continue' } });
  request.on('continue', () => request.end(body));
  request.flushHeaders();
  expect((await answerTo(request)).statusCode).toBe(200);
  expect(seen).toMatchObject([{ body: arrives('{"token":"V"}') }]);
  expect(seen[0]?.fields).not.toContain('Expect');
});

test('a client that waits with a body that is too large is not told to send it', async () => {
  put(token);
  const length = 1024 * 1024 + 1;
  const request = pod.request({ method: 'POST', headers: { ...json, 'content-length': length, expect: '100-continue' } });
  let continued = false;
  request.on('continue', () => (continued = true));
  request.flushHeaders();
  const { statusCode, headers } = await answerTo(request);
  expect([statusCode, headers['rekey-error'], continued]).toEqual([413, 'BodyTooLarge', false]);
});

test('digests of the body that was go, and stay where the body does', async () => {
  put(token, { header: { name: 'Authorization', prefix: 'Bearer ' } });
  const digests = { ...json, 'content-digest': 'sha-256=:x:', 'repr-digest': 'x', digest: 'x', 'content-md5': 'x' };
  await post(given('{"token":"P"}'), digests);
  await post('{"token":"mine"}', { ...digests, ...bearer });
  expect(seen.map(({ fields }) => fields.filter((name) => /digest|md5/iu.test(name)).length)).toEqual([0, 4]);
});

test('a refused call is sent once more with the new value in the body, whose length is another', async () => {
  put(token);
  Object.assign(pod.credential, { newest: '8-which-is-longer' });
  pod.handler = (request, response) =>
    void buffer(request).then((body) => {
      seen.push({ body: body.toString(), fields: [], length: request.headers['content-length'] });
      response.writeHead(body.includes(pod.credential.value('8-which-is-longer')) ? 200 : 401).end();
    });
  expect((await post(given('{"token":"P","n":1}'))).status).toBe(200);
  const bodies = ['7', '8-which-is-longer'].map((version) => `{"token":"${pod.credential.value(version)}","n":1}`);
  expect(seen.map(({ body, length }) => [body, length])).toEqual(bodies.map((body) => [body, String(body.length)]));
});

test('the audit tells of the use, and no body', async () => {
  put(token);
  const lines = pod.audit.length;
  await post(given('{"token":"P","title":"a-title-of-the-body"}'));
  await pod.flushed(lines + 1);
  expect(pod.audit.at(-1)).toMatchObject({ credential: 'github', injected: true, status: 200 });
  expect(pod.written).not.toMatch(/a-title-of-the-body|sk-github/u);
});

test('bodies that are read take 4 MiB in all: another call is asked to come again, and is taken when there is room', async () => {
  put(token);
  const half = Buffer.alloc(1000 * 1000, ' ');
  const open = Array.from({ length: 4 }, () => {
    const request = pod.request({ method: 'POST', headers: { ...json, 'content-length': 1024 * 1024 } });
    request.on('error', () => {});
    request.write(half);
    return request;
  });
  let answer = await post(half);
  for (let tries = 0; answer.status === 200 && tries < 50; tries += 1) answer = await post(half); // those before have not all come yet
  expect([answer.status, answer.headers['rekey-error'], answer.headers['retry-after']]).toEqual([503, 'CallLimitReached', '5']);
  for (const request of open) request.destroy();
  for (let tries = 0; answer.status !== 200 && tries < 50; tries += 1) answer = await post(half);
  expect(answer.status).toBe(200);
});

test('a body that is on its way gives its room to a new one: its refusal passes then, and it is not sent again without its bytes', async () => {
  put(token);
  Object.assign(pod.credential, { newest: '8' });
  const first = Promise.withResolvers<void>();
  const all: number[] = [];
  pod.handler = (request, response) =>
    void buffer(request).then(async (body) => {
      all.push(body.length);
      if (all.length <= 5) await first.promise;
      response.writeHead(body.includes(pod.credential.value('8')) ? 200 : 401).end();
    });
  const body = given(`{"token":"P","a":"${'x'.repeat(900 * 1000)}"}`);
  const calls: Promise<Answer>[] = [];
  for (let count = 1; count <= 5; count += 1) {
    calls.push(post(body));
    await until(() => all.length === count);
  }
  first.resolve();
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  expect(statuses[0]).toBe(401);
  expect(statuses.slice(1)).toEqual([200, 200, 200, 200]);
  expect(new Set(all)).toEqual(new Set([body.length - placeholder.length + pod.credential.value('7').length]));
});
