import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { brotliCompressSync, createBrotliCompress, createGzip, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Answer, FakePod } from '../pod.fake.ts';
import { answerTo, bearer, call, placeholder, startPod } from '../pod.fake.ts';
import { scrape } from '../report/metric.fixture.ts';

let pod: FakePod;
let value: string;
beforeAll(async () => {
  pod = await startPod({ github: () => ({ scrubResponses: true }) });
  value = pod.credential.value('7');
});
afterAll(() => pod.stop());

const other = 'x'.repeat(20_000);
const withValue = (): string => `${other}"${value}"${other}${encodeURIComponent(value)}${other}${Buffer.from(value).toString('base64')}`;
const withPlaceholder = `${other}"${placeholder}"${other}${placeholder}${other}${placeholder}`;

async function answer(give: (response: ServerResponse, request: IncomingMessage) => void, method = 'GET'): Promise<Answer> {
  pod.handler = (request, response) => give(response, request);
  return call(pod, { method, headers: { ...bearer, 'accept-encoding': 'gzip', range: 'bytes=0-5' } });
}

async function scrubs(): Promise<number> {
  const metrics = await scrape(pod);
  return Number(/^rekey_scrubs_total\{credential="github"\} (\d+)$/mu.exec(metrics)?.[1]);
}

const codings: Record<string, (text: string) => Buffer> = {
  identity: (text) => Buffer.from(text),
  gzip: (text) => gzipSync(text),
  br: (text) => brotliCompressSync(text),
  deflate: (text) => deflateSync(text),
  zstd: (text) => zstdCompressSync(text),
};

describe.each(Object.entries(codings))('in an answer in %s', (coding, encoded) => {
  test.each([true, false])('the placeholder stands where the value stood, and it is counted (in chunks: %s)', async (chunked) => {
    const before = await scrubs();
    const { status, headers, body } = await answer((response) => {
      const bytes = encoded(withValue());
      response.writeHead(200, { 'content-encoding': coding, ...(chunked ? {} : { 'content-length': bytes.length }) });
      for (let at = 0; at < bytes.length; at += 1000) response.write(bytes.subarray(at, at + 1000));
      response.end();
    });
    expect(status).toBe(200);
    expect(body.toString()).toBe(withPlaceholder);
    expect(headers['content-encoding']).toBeUndefined();
    expect(await scrubs()).toBe(before + 3);
  });
});

test('in the fields and the phrase of an answer too, with a body or without', async () => {
  for (const method of ['GET', 'HEAD']) {
    const { headers, rawHeaders } = await answer((response) => {
      response.writeHead(200, `for ${value}`, {
        location: `/?key=${encodeURIComponent(value)}`,
        'x-echo': `Bearer ${value}`,
        'content-length': 0,
      });
      response.end();
    }, method);
    expect([headers.location, headers['x-echo']]).toEqual([`/?key=${placeholder}`, `Bearer ${placeholder}`]);
    expect(rawHeaders.join('\n')).not.toContain(value);
  }
});

test('the upstream is asked for the whole answer as it is', async () => {
  let asked: unknown;
  await answer((response, request) => {
    asked = [request.headers['accept-encoding'], request.headers.range];
    response.end();
  });
  expect(asked).toEqual(['identity', undefined]);
});

test.each(['rot13', 'constructor', '__proto__'])('an answer in a coding that nobody knows does not pass: %s', async (coding) => {
  const { status, headers, body } = await answer((response) => response.writeHead(200, { 'content-encoding': coding }).end(value));
  expect([status, headers['rekey-error']]).toEqual([502, 'AnswerNotSearchable']);
  expect(body.toString()).not.toContain(value);
});

test.each(Object.entries(codings).filter(([coding]) => coding !== 'identity'))(
  'in %s, what comes a byte at a time and what stands behind the end of the coding ends the answer as it should',
  async (coding, encoded) => {
    for (const behind of [Buffer.alloc(0), Buffer.alloc(40)]) {
      const { body } = await answer((response) => {
        response.writeHead(200, { 'content-encoding': coding });
        for (const byte of encoded(value)) response.write(Buffer.of(byte));
        response.write(behind);
        setTimeout(() => response.end(), 50);
      });
      expect(body.toString()).toBe(placeholder);
      expect((await answer((response) => response.end('next'))).body.toString()).toBe('next');
    }
  },
);

test('a first event of a few bytes in br goes out before there is a second', async () => {
  const br = createBrotliCompress();
  pod.handler = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'br' }).flushHeaders();
    br.pipe(response);
    br.write('1\n\n', () => br.flush());
  };
  const stream = await answerTo(pod.request({ headers: bearer }).end());
  expect(String((await once(stream, 'data'))[0])).toBe('1\n\n');
  br.end();
  await once(stream.resume(), 'end');
});

test('frames of zstd that follow each other, one that is skipped among them, are one answer', async () => {
  const skipped = Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.from('none')]);
  const frames = [skipped, zstdCompressSync('a'), zstdCompressSync(other + value), zstdCompressSync('b')];
  const { body } = await answer((response) => response.writeHead(200, { 'content-encoding': 'zstd' }).end(Buffer.concat(frames)));
  expect(body.toString()).toBe(`a${other}${placeholder}b`);
});

test('an answer whose coding is broken is not taken for whole', async () => {
  pod.handler = (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(other).subarray(0, 40));
  await expect(call(pod, { headers: bearer })).rejects.toThrow(/aborted|hang up/u);
  expect((await answer((response) => response.end('next'))).body.toString()).toBe('next');
});

test.each([false, true])('each event arrives while the upstream still writes (in gzip: %s)', async (zipped) => {
  let upstream: ServerResponse | undefined;
  const gzip = createGzip();
  pod.handler = (_request, response) => {
    upstream = response;
    response.writeHead(200, { 'content-type': 'text/event-stream', ...(zipped ? { 'content-encoding': 'gzip' } : {}) }).flushHeaders();
    if (zipped) gzip.pipe(response);
  };
  const stream = await answerTo(pod.request({ headers: bearer }).end());
  for (const event of ['data: 1\n\n', `data: ${value}\n\n`, 'data: 3\n\n']) {
    if (zipped) gzip.write(event, () => gzip.flush());
    else upstream?.write(event);
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    expect(chunk.toString()).toBe(event.replace(value, placeholder));
  }
  if (zipped) gzip.end();
  else upstream?.end();
  await once(stream, 'end');
});

test('a value that comes in two pieces is found', async () => {
  const { body } = await answer((response) => {
    response.write(`a ${value.slice(0, 9)}`);
    setTimeout(() => response.end(`${value.slice(9)} b`), 20);
  });
  expect(body.toString()).toBe(`a ${placeholder} b`);
});

/** What a number comes to once it grows no more. */
async function settled(read: () => number): Promise<number> {
  let most = 0;
  for (let same = 0; same < 8;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    same = read() > most ? 0 : same + 1;
    most = Math.max(most, read());
  }
  return most;
}

test('a bomb is decoded no faster than the client takes it, and a client that goes away ends it', async () => {
  const bomb = Buffer.concat(Array<Buffer>(40).fill(gzipSync(Buffer.alloc(5_000_000))));
  pod.handler = (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
  const before = process.memoryUsage().arrayBuffers;
  const request = pod.request({ headers: bearer }).end();
  const stream = await answerTo(request);
  stream.pause();
  expect((await settled(() => process.memoryUsage().arrayBuffers)) - before).toBeLessThan(50_000_000);
  request.destroy();
  expect((await answer((response) => response.end('next'))).body.toString()).toBe('next');
});

test('a large answer passes whole to a client that takes its time', async () => {
  pod.handler = (_request, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(60_000_000)));
  const stream = await answerTo(pod.request({ headers: bearer }).end());
  stream.pause();
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect((await buffer(stream)).length).toBe(60_000_000);
});

test('without scrubResponses, and for calls that carried nothing, an answer passes as it is', async () => {
  pod.handler = (_request, response) => void response.end(value);
  expect((await call(pod)).body.toString()).toBe(value);
  const { current } = pod.credential;
  if (current !== undefined) pod.credential.current = { ...current, scrubResponses: false };
  expect((await call(pod, { headers: bearer })).body.toString()).toBe(value);
});
