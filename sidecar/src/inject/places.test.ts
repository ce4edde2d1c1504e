import { randomBytes } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Place } from '@rekey/crds/credential.ts';
import { allWays } from '@rekey/crds/ways.ts';
import type { Way } from '@rekey/crds/ways.ts';
import type { FakePod } from '../pod.fake.ts';
import { answerTo, placeholder } from '../pod.fake.ts';
import type { PodOnAllWays } from '../call/ways.fake.ts';
import { startOnAllWays } from '../call/ways.fake.ts';

// Each place, by each way in, with each kind of request and answer.
let all: PodOnAllWays;
let pod: FakePod;
let seen: { target: string; authorization: string; body: Buffer };
/** Lets the upstream's stream go on: the client has its beginning. */
let goOn: PromiseWithResolvers<void>;

beforeAll(async () => {
  all = await startOnAllWays({});
  ({ pod } = all);
});
afterAll(() => pod.stop());
beforeEach(() => {
  goOn = Promise.withResolvers();
  Object.assign(pod.credential, { held: '7', newest: '7', given: undefined, user: undefined });
  pod.handler = (request, response) =>
    void buffer(request).then(async (body) => {
      seen = { target: request.url ?? '', authorization: request.headers.authorization ?? '', body };
      if (!isCarried()) return response.writeHead(401).end();
      response.writeHead(200, { 'content-type': 'text/event-stream', trailer: 'x-sum' });
      response.write('data: first\n\n');
      await goOn.promise;
      response.addTrailers({ 'x-sum': '1' });
      return response.end('data: last\n\n');
    });
});

interface Case {
  place: Place;
  /** How a request holds a text there. */
  path?: (text: string) => string;
  authorization?: (text: string) => string;
  field?: (text: string) => string;
}

const cases: Record<string, Case> = {
  header: { place: { header: { name: 'Authorization', prefix: 'Bearer ' } }, authorization: (text) => `Bearer ${text}` },
  basic: { place: { basic: {} }, authorization: (text) => `Basic ${btoa(`me:${text}`)}` },
  query: { place: { query: { name: 'key' } }, path: (text) => `/x?key=${encodeURIComponent(text)}` },
  jsonField: { place: { jsonField: { path: 'auth.token' } }, field: (text) => `{"auth":{"token":${JSON.stringify(text)}}}` },
};
let current: Case;
const valueNow = (): string => pod.credential.value(pod.credential.newest);
const target = (text: string): string => current.path?.(text) ?? '/x';
const authorization = (text: string): string => current.authorization?.(text) ?? '';
const isCarried = (): boolean =>
  seen.target === target(valueNow()) &&
  seen.authorization === authorization(valueNow()) &&
  (current.field === undefined || seen.body.equals(Buffer.from(current.field(valueNow()))));

interface Kind {
  headers: (body: Buffer) => Record<string, string>;
  send: (request: ClientRequest, body: Buffer) => void;
}
const inPieces = (request: ClientRequest, body: Buffer): void => {
  request.write(body.subarray(0, 7));
  setImmediate(() => request.end(body.subarray(7)));
};
const kinds: Record<string, Kind> = {
  'with a length': { headers: (body) => ({ 'content-length': String(body.length) }), send: (request, body) => void request.end(body) },
  'in chunks': { headers: () => ({ 'transfer-encoding': 'chunked' }), send: inPieces },
  'that waits for 100': {
    headers: (body) => ({ 'content-length': String(body.length), expect: '100-continue' }),
    send: (request, body) => {
      request.on('continue', () => inPieces(request, body));
      request.flushHeaders();
    },
  },
};

async function sent(way: Way, { headers, send }: Kind, body: Buffer): Promise<IncomingMessage> {
  const socket = await all.connect(way);
  const fields = {
    host: all.authority(way),
    'content-type': current.field === undefined ? 'application/octet-stream' : 'application/json',
  };
  const mark = current.authorization === undefined ? {} : { authorization: authorization(placeholder) };
  const request = httpRequest({
    createConnection: () => socket,
    method: 'POST',
    path: target(placeholder),
    headers: { ...fields, ...mark, ...headers(body) },
  });
  send(request, body);
  return answerTo(request);
}

/** The answer's beginning comes before its end is made, and all of it in the end. */
async function streamed(response: IncomingMessage): Promise<string> {
  let text = '';
  response.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    if (text === 'data: first\n\n') goOn.resolve();
  });
  await new Promise((resolve) => response.once('end', resolve));
  return `${response.statusCode} ${text}${response.trailers['x-sum']}`;
}

const matrix = allWays.flatMap((way) =>
  Object.keys(cases).flatMap((place) => Object.keys(kinds).map((kind) => [place, way, kind] as const)),
);

test.each(matrix)('%s by %s, a request %s: the value is there, and the answer streams', async (place, way, kind) => {
  const [one, how] = [cases[place], kinds[kind]];
  if (one === undefined || how === undefined) throw new Error('no such case');
  current = one;
  if (pod.credential.current !== undefined) pod.credential.current = { ...pod.credential.current, inject: [one.place] };
  const body = one.field === undefined ? randomBytes(100_000) : Buffer.from(one.field(placeholder));
  const answer = 'data: first\n\ndata: last\n\n';
  expect(await streamed(await sent(way, how, body))).toBe(`200 ${answer}1`);
  expect(one.field !== undefined || seen.body.equals(body)).toBe(true);
  // And once more after a rotation: the upstream refuses the value that is in memory.
  Object.assign(pod.credential, { newest: '8' });
  goOn = Promise.withResolvers();
  expect(await streamed(await sent(way, how, body))).toBe(`200 ${answer}1`);
  expect(one.field !== undefined || seen.body.equals(body)).toBe(true);
});
