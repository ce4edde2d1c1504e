import { setTimeout as pause } from 'node:timers/promises';
import { begin, call, crowd } from './client.ts';
import type { Path, Wanted } from './client.ts';
import { Fingerprint, Paced, bytesOf } from './content.ts';
import type { Stage } from './stage.ts';
import { pieces } from './upstream.ts';
import type { StressUpstream } from './upstream.ts';

const calls = 10_000;
const atOnce = 24;
const streamsOfAKind = 50;
/** A rotation each time that so many calls have begun. */
const callsARotation = 400;
/** Streams go on each time that so many have; they are not at their end when the calls are. */
const callsAPiece = Math.ceil(calls / (pieces - 10));

/**
 * 10,000 calls over 25 rotations whose old value is refused at once, while 200 streams are open from before the first until after the
 * last. Each answer, and what the upstream saw of each request, is compared with the same call on a connection without a sidecar.
 */
export async function overRotations({ through, direct, upstream, rotate }: Stage): Promise<object> {
  const expected = new Map<string, string>();
  for (const wanted of kindsOfCalls()) expected.set(keyOf(wanted), (await call(direct, wanted)).word);
  const streams = [...openStreams(through), ...openStreams(direct)];
  while (upstream.streaming() < 2 * 3 * streamsOfAKind) await pause(5);

  const result = { calls: 0, failed: 0, differing: 0, rotations: 0 };
  const wanted = kindsOfCalls();
  let rotating = Promise.resolve();
  const tasks = Array.from({ length: calls }, (_, index) => async (): Promise<void> => {
    if (index % callsARotation === 0) rotating = rotating.then(rotate).then(() => void (result.rotations += 1));
    if (index % callsAPiece === 0) goOn(upstream);
    const one = wanted[index % wanted.length] as Wanted;
    const { status, word } = await call(through, one);
    result.calls += 1;
    if (status >= 400) result.failed += 1;
    else if (word !== expected.get(keyOf(one))) result.differing += 1;
  });
  await crowd(atOnce, tasks);
  await rotating;
  const open = upstream.streaming();
  for (let left = 0; left < pieces; left += 1) goOn(upstream);
  const words = await Promise.all(streams);
  const [mine, theirs] = [words.slice(0, words.length / 2), words.slice(words.length / 2)];
  return {
    ...result,
    refused: upstream.refused,
    streams: mine.length,
    streamsOpenAtTheEnd: open,
    streamsDiffering: mine.filter((word, index) => word !== theirs[index]).length,
  };
}

const keyOf = ({ method = 'GET', path, headers }: Wanted): string => `${method} ${path} ${JSON.stringify(headers)}`;

/** Answers and requests of all framings and of many sizes, around those of buffers and of TLS records; a body up to 256 KiB can be sent again. */
function kindsOfCalls(): Wanted[] {
  const sizes = [0, 1, 1000, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 200_000];
  const of = (make: (size: number, seed: number) => Wanted): Wanted[] => sizes.map((size, seed) => make(size, seed));
  return [
    ...of((size, seed) => ({ path: `/bytes?seed=${seed}&size=${size}&framing=length` })),
    ...of((size, seed) => ({ path: `/bytes?seed=${seed}&size=${size}&framing=chunks` })),
    ...of((size, seed) => ({ path: `/bytes?seed=${seed}&size=${size}&framing=length`, method: 'HEAD' })),
    ...of((size, seed) => ({
      path: `/echo?seed=${seed}`,
      method: 'POST',
      headers: { 'content-length': String(size) },
      body: () => bytesOf(seed, size),
    })),
    ...of((size, seed) => ({
      path: `/echo?seed=${seed}`,
      method: 'PUT',
      headers: { 'transfer-encoding': 'chunked' },
      body: () => bytesOf(seed, size),
    })),
    { path: '/empty?status=204', method: 'DELETE' },
    { path: '/empty?status=304', headers: { 'if-none-match': '"1"' } },
  ];
}

const uploads: Paced[] = [];

function goOn(upstream: StressUpstream): void {
  upstream.tick();
  for (const upload of uploads) upload.next();
}

/** SSE, chunks down, and chunks up: each on a connection of its own. The word is of all that came, or of all that the upstream saw. */
function openStreams(path: Path): Promise<string>[] {
  const down = async (wanted: Wanted): Promise<string> => {
    const answer = await begin(path, wanted);
    const seen = new Fingerprint().text(String(answer.statusCode)).fields(answer.headers);
    return (await seen.body(answer)).word;
  };
  const up = async (seed: number): Promise<string> => {
    const source = new Paced(pieces, (index) => bytesOf(seed * 1000 + index, 4099));
    uploads.push(source);
    source.next();
    const wanted = { path: '/echo', method: 'POST', headers: { 'transfer-encoding': 'chunked' }, body: () => source.stream };
    return (await call(path, wanted)).word;
  };
  return Array.from({ length: streamsOfAKind }, (_, seed) => [
    down({ path: `/events?seed=${seed}` }),
    down({ path: `/events?seed=${seed + streamsOfAKind}`, headers: { accept: 'text/event-stream' } }),
    down({ path: `/chunks?seed=${seed}` }),
    up(seed),
  ]).flat();
}
