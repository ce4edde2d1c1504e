import type { Place } from '@rekey/crds/credential.ts';
import { trailersOf } from '../http/hop.ts';
import type { FakePod } from '../pod.fake.ts';
import { bearer, call, otherHost, placeholder, startPod } from '../pod.fake.ts';

let pod: FakePod;
let value: string;
beforeAll(async () => {
  pod = await startPod();
  value = pod.credential.value('7');
});
afterAll(() => pod.stop());
beforeEach(() => {
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, inject: [authorization] };
});

const authorization: Place = { header: { name: 'Authorization', prefix: 'Bearer ' } };
const apiKey: Place = { header: { name: 'X-Api-Key' } };
const key: Place = { query: { name: 'key' } };
const basic: Place = { basic: {} };
const basicOf = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`, 'latin1').toString('base64')}`;
const misplacedBasic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

interface Seen {
  target: string | undefined;
  fields: string[];
  body: string;
}

/** Sends a request with these raw fields, and gives back what the upstream saw. */
async function seenBy(target: string, fields: string[], places: Place[], body = ''): Promise<Seen> {
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, inject: places };
  const seen: Seen = { target: undefined, fields: [], body: '' };
  pod.handler = (request, response) => {
    seen.target = request.url;
    seen.fields = request.rawHeaders;
    request.on('data', (chunk: Buffer) => (seen.body += chunk.toString()));
    request.on('end', () => response.end());
  };
  const framing = body === '' ? [] : ['Content-Length', String(body.length)];
  await call(pod, { path: target, method: body === '' ? 'GET' : 'POST', headers: ['Host', pod.host, ...framing, ...fields] }, body);
  return seen;
}

const grants = (): number => pod.credential.grants;

interface Case {
  fields: string[];
  places?: Place[];
  /** The fields that arrive besides Host and Connection; VALUE stands for the value. */
  arrive: string[];
}

const headers: Record<string, Case> = {
  'exactly prefix and placeholder': { fields: ['Authorization', `Bearer ${placeholder}`], arrive: ['Authorization', 'Bearer VALUE'] },
  'the prefix in another case, spaces around': {
    fields: ['authorization', `  bearer ${placeholder}\t`],
    arrive: ['Authorization', 'Bearer VALUE'],
  },
  'without a prefix': { fields: ['x-api-key', placeholder], places: [apiKey], arrive: ['X-Api-Key', 'VALUE'] },
  'copies and twins of the header are dropped': {
    fields: ['X-Api-Key', 'other', 'x_api_key', 'other', 'x-api-key', placeholder, 'X-API-KEY', 'other', 'X-Api-Key-2', 'kept'],
    places: [apiKey],
    arrive: ['X-Api-Key-2', 'kept', 'X-Api-Key', 'VALUE'],
  },
  'Connection cannot take the value away': {
    fields: ['Authorization', `Bearer ${placeholder}`, 'Connection', 'Authorization, X-Drop', 'X-Drop', 'x'],
    arrive: ['Authorization', 'Bearer VALUE'],
  },
  'two places': {
    fields: ['X-Api-Key', placeholder, 'Authorization', `Bearer ${placeholder}`],
    places: [authorization, apiKey],
    arrive: ['Authorization', 'Bearer VALUE', 'X-Api-Key', 'VALUE'],
  },
};

test.each(Object.entries(headers))('header: %s', async (_name, { fields, places = [authorization], arrive }) => {
  const { fields: seen } = await seenBy('/', fields, places);
  expect(seen).toEqual(['Host', pod.host, ...arrive.map((text) => text.replace('VALUE', value)), 'Connection', 'keep-alive']);
});

const misplaced: Record<string, { target?: string; fields?: string[]; body?: string; places?: Place[] }> = {
  'another header': { fields: ['X-Other', placeholder, 'Cookie', `a=${placeholder}`] },
  'the header with another prefix': { fields: ['Authorization', `Basic ${placeholder}`] },
  'the header without its prefix': { fields: ['Authorization', placeholder] },
  'the header with more text': { fields: ['Authorization', `Bearer ${placeholder} and more`] },
  'the header in another case of the placeholder': { fields: ['Authorization', `Bearer ${placeholder.toUpperCase()}`] },
  'a twin of the header alone': { fields: ['X_Api_Key', placeholder], places: [apiKey] },
  'the path': { target: `/issues/${placeholder}?title=${placeholder}` },
  'another parameter': { target: `/?title=${placeholder}&xkey=${placeholder}`, places: [key] },
  'a parameter with more text': { target: `/?key=${placeholder}x&key=x${placeholder}`, places: [key] },
  'the name of a parameter': { target: `/?${placeholder}=key&${placeholder}`, places: [key] },
  'the body': { body: `{"title":"${placeholder}","key":"${placeholder}"}`, places: [authorization, key] },
  'the placeholder of another credential': { fields: ['Authorization', 'Bearer rekey-placeholder-notion'] },
};

test.each(Object.entries(misplaced))('a placeholder in %s stays one, and the source is not asked', async (_name, given) => {
  const { target = '/', fields = [], body = '', places = [authorization] } = given;
  const before = grants();
  const lines = pod.audit.length;
  const seen = await seenBy(target, fields, places, body);
  expect(seen.target).toBe(target);
  expect(seen.body).toBe(body);
  const framing = body === '' ? [] : ['Content-Length', String(body.length)];
  expect(seen.fields).toEqual(['Host', pod.host, ...framing, ...fields, 'Connection', 'keep-alive']);
  expect(grants()).toBe(before);
  await pod.flushed(lines + 1);
  expect(pod.audit.at(-1)).toMatchObject({ injected: false, cache: 'none', credential: 'github' });
});

test('a query parameter gets the value encoded, and all other bytes of the target stay', async () => {
  const { target } = await seenBy(
    `/a%2Fb/?x=%20&key=${placeholder}&y=a+b&&key=real&%6bey=rekey%2Dplaceholder-github#`.slice(0, -1),
    [],
    [key],
  );
  const encoded = encodeURIComponent(value);
  expect(target).toBe(`/a%2Fb/?x=%20&key=${encoded}&y=a+b&&key=real&%6bey=${encoded}`);
});

test('the placeholder that the spec gives to a variable stands for the value too', async () => {
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, env: [{ name: 'TOKEN', placeholder: 'ghp_0123456789' }] };
  const { fields } = await seenBy('/', ['Authorization', 'Bearer ghp_0123456789'], [authorization]);
  expect(fields).toContain(`Bearer ${value}`);
});

test("a call to one host never carries another host's value", async () => {
  let fields: string[] = [];
  pod.handler = (request, response) => {
    fields = request.rawHeaders;
    response.end();
  };
  await call(pod, { servername: otherHost, headers: { ...bearer } });
  expect(fields).toContain(`Bearer ${placeholder}`);
  await call(pod, { servername: otherHost, headers: { authorization: 'Bearer rekey-placeholder-notion' } });
  expect(fields).toContain(`Bearer ${pod.credentials[1]?.value('7')}`);
});

test('fields of the connection end here', async () => {
  const { fields } = await seenBy(
    '/',
    [
      'Connection',
      'close, X-Mine',
      'X-Mine',
      '1',
      'Keep-Alive',
      'timeout=9',
      'TE',
      'trailers',
      'Proxy-Authorization',
      'x',
      'Proxy-Connection',
      'x',
    ],
    [authorization],
  );
  expect(fields).toEqual(['Host', pod.host, 'Connection', 'keep-alive']);
});

test('no trailer passes for a field that frames, routes or carries the value', () => {
  const raw = ['X-Sum', '1', 'Host', 'evil', 'Content-Length', '9', 'X_Api_Key', 'x', 'Connection', 'x'];
  expect(trailersOf(raw, (name) => name === 'x_api_key')).toEqual([['X-Sum', '1']]);
});

test.each([
  ['the password', 'me@example.com', placeholder],
  ['the user', placeholder, ''],
  ['the user, with another password', placeholder, 'a:b'],
  ['the password of a user that is not ASCII', 'Jos\u00e9', placeholder],
])('in basic authentication the value is %s, and what stands beside it stays', async (_name, user, password) => {
  const given = basicOf(user, password);
  const { fields } = await seenBy('/', ['authorization', given.replace('Basic', 'bAsIc '), 'Authorization', 'Bearer other'], [basic]);
  const put = (text: string): string => (text === placeholder ? value : text);
  expect(fields).toEqual(['Host', pod.host, 'Authorization', basicOf(put(user), put(password)), 'Connection', 'keep-alive']);
});

test.each([
  ['a part of the password', `me:x${placeholder}`],
  ['no pair', placeholder],
  ['a pair in the password', `me:you:${placeholder}`],
])('a placeholder in basic authentication stays: %s', async (_name, pair) => {
  const authorization = misplacedBasic(pair);
  const { fields } = await seenBy('/', ['Authorization', authorization], [basic]);
  expect(fields).toContain(authorization);
});

describe('basic authentication with a user of the secret', () => {
  beforeAll(() => {
    pod.credential.user = 'bot@example.com';
  });
  afterAll(() => {
    pod.credential.user = undefined;
  });
  const user = 'bot@example.com';
  const pairs: Record<string, [string, string, string, string]> = {
    'both are the placeholder': [placeholder, placeholder, user, 'VALUE'],
    'the password is': ['me', placeholder, 'me', 'VALUE'],
    'the user is': [placeholder, 'mine', user, 'mine'],
  };
  test.each(Object.entries(pairs))('%s', async (_sentence, [ours, password, name, secret]) => {
    const { fields } = await seenBy('/', ['Authorization', basicOf(ours, password)], [basic]);
    expect(fields).toContain(basicOf(name, secret.replace('VALUE', value)));
  });

  test('in every call, whatever the server has put there', async () => {
    for (const given of [[], ['authorization', 'Bearer other'], ['Authorization', basicOf('a', 'b')]]) {
      const { fields } = await seenBy('/', given, [{ ...basic, when: 'Always' }]);
      expect(fields).toEqual(['Host', pod.host, 'Authorization', basicOf(user, value), 'Connection', 'keep-alive']);
    }
  });

  test('a header beside it gets the value alone', async () => {
    const { fields } = await seenBy('/', ['X-Api-Key', placeholder, 'Authorization', basicOf(placeholder, placeholder)], [apiKey, basic]);
    expect(fields).toEqual(['Host', pod.host, 'X-Api-Key', value, 'Authorization', basicOf(user, value), 'Connection', 'keep-alive']);
  });
});

test('without a user in the secret a placeholder as the user stays beside the password', async () => {
  const { fields } = await seenBy('/', ['Authorization', basicOf(placeholder, placeholder)], [basic]);
  expect(fields).toContain(basicOf(placeholder, value));
});

test('a value with a colon is no user of basic authentication: the call ends here', async () => {
  pod.credential.given = 'a:b-0123456789';
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, inject: [basic] };
  const { status, headers } = await call(pod, { headers: { authorization: basicOf(placeholder, '') } });
  pod.credential.given = undefined;
  expect([status, headers['rekey-error']]).toEqual([503, 'SecretValueInvalid']);
});

const always: Record<string, { place: Place; target?: string; fields?: string[]; arrives: { target?: string; fields?: string[] } }> = {
  'a header that is not there': { place: authorization, arrives: { fields: ['Authorization', 'Bearer VALUE'] } },
  'a header that holds something else': {
    place: authorization,
    fields: ['authorization', 'Bearer other'],
    arrives: { fields: ['Authorization', 'Bearer VALUE'] },
  },
  'a parameter that is not there': { place: key, target: '/a?b=c', arrives: { target: '/a?b=c&key=VALUE' } },
  'the first parameter': { place: key, target: '/a', arrives: { target: '/a?key=VALUE' } },
  'a parameter that holds something else, twice and in part': {
    place: key,
    target: '/a?key=x&b&%6bey&key',
    arrives: { target: '/a?key=VALUE&b&%6bey=VALUE&key=VALUE' },
  },
};

test.each(Object.entries(always))(
  'with when: Always the value is put into %s',
  async (_name, { place, target = '/', fields = [], arrives }) => {
    const seen = await seenBy(target, fields, [{ ...place, when: 'Always' }]);
    expect(seen.target).toBe((arrives.target ?? '/').replaceAll('VALUE', encodeURIComponent(value)));
    const put = (arrives.fields ?? []).map((text) => text.replace('VALUE', value));
    expect(seen.fields).toEqual(['Host', pod.host, ...put, 'Connection', 'keep-alive']);
  },
);
