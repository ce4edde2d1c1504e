/** Numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const methods = ['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'http/1.1', 'HTTP/2.0'];
const hosts = [
  'Host: peer',
  'Host: peer',
  'Host: peer',
  'Host: peer',
  'host:peer',
  'HOST: \tpeer ',
  'Host : peer',
  'Host: peer\r\nHost: peer',
];
const lengths = (size: number): string[] => [
  `Content-Length: ${size}`,
  `content-length:${size}`,
  `Content-Length: 0${size}`,
  `Content-Length: +${size}`,
  `Content-Length: ${size}, ${size}`,
  `Content-Length: ${size}\r\nContent-Length: ${size}`,
  `Content-Length: ${size + 1}`,
  `Content-Length : ${size}`,
  `Content-Length: 0x${size}`,
  `Content-Length: ${size} `,
  `Content-Length:\u000b${size}`,
  `Content_Length: ${size}`,
];
const codings = [
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked',
  'transfer-encoding:CHUNKED',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding:\r\n chunked',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding:\u000cchunked',
  'Transfer_Encoding: chunked',
  'X: y\nTransfer-Encoding: chunked',
];
const others = [
  'X-A: 1',
  'X-A:',
  'Accept: */*',
  'X-B: a:b',
  'X-C: \u00e9',
  'X-D: 1\r\n 2',
  'X E: 1',
  'Connection: keep-alive',
  'Expect: 100-continue',
  ': 1',
  'X-F: 1\r2',
];
const data = ['', 'a', 'body', '0\r\n\r\n', 'GET /smuggled HTTP/1.1\r\nHost: peer\r\n\r\n', '\r\n', 'x'.repeat(40)];
const sizes = ['', '0', '00', ';a', ';a=b', ' ', ';a\u0000', ';\n', '\t'];
const ends = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n'];
const noise = '\r\n\t \u0000\u000b:;,0123456789aAfF\u00ff\u007f-+_"/';

/** One request, most of the time nearly one: `id` is in its target, so that it is known again. */
export function requestOf(random: () => number, id: number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const often = <T>(good: T, list: readonly T[], share: number): T => (random() < share ? good : pick(list));
  const body = pick(data);
  const fields = [often('Host: peer', hosts, 0.8)];
  const isChunked = random() < 0.5;
  if (random() < 0.8)
    fields.push(
      isChunked ? often('Transfer-Encoding: chunked', codings, 0.7) : often(`Content-Length: ${body.length}`, lengths(body.length), 0.7),
    );
  if (random() < 0.06) fields.push(isChunked ? pick(lengths(body.length)) : pick(codings));
  if (random() < 0.4) fields.push(pick(others));
  const end = (): string => often('\r\n', ends, 0.96);
  const line = `${pick(methods)} /n${id} ${often('HTTP/1.1', versions, 0.9)}`;
  const head = `${[line, ...shuffled(fields, random)].map((text) => text + end()).join('')}${end()}`;
  const chunk = (text: string): string => `${text.length.toString(16)}${random() < 0.15 ? pick(sizes) : ''}${end()}${text}${end()}`;
  const trailers = random() < 0.1 ? `${pick(others)}${end()}` : '';
  const framed = isChunked ? `${body === '' ? '' : chunk(body)}${random() < 0.3 ? chunk('more') : ''}0${end()}${trailers}${end()}` : body;
  return mutated(head + framed, random);
}

function shuffled(list: readonly string[], random: () => number): string[] {
  return list
    .map((text) => ({ text, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ text }) => text);
}

/** Three in ten lose, gain or change a byte or a few. */
function mutated(text: string, random: () => number): string {
  let bytes = text;
  for (let left = random() < 0.7 ? 0 : 1 + Math.floor(random() * 3); left > 0; left -= 1) {
    const at = Math.floor(random() * bytes.length);
    const byte = noise[Math.floor(random() * noise.length)] ?? '';
    const [added, dropped] = (
      [
        ['', 1],
        [byte, 0],
        [byte, 1],
      ] as const
    )[Math.floor(random() * 3)] ?? ['', 0];
    bytes = bytes.slice(0, at) + added + bytes.slice(at + dropped);
  }
  return bytes;
}
