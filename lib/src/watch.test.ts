import { Readable } from 'node:stream';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { jest } from '@jest/globals';
import type { KubernetesObject, WatchFailure, WatchOptions } from './watch.ts';
import { listAndWatch } from './watch.ts';

/** What a test's API server says to each list and to each watch, in turn; the last one again and again. */
type Answer = (response: ServerResponse, url: URL) => void;

interface World {
  lists: URL[];
  watches: URL[];
  changes: string[];
  failures: WatchFailure[];
  /** The pauses that were asked for, in milliseconds; none is slept. */
  pauses: number[];
  sockets: Set<Socket>;
  stop: AbortController;
  /** Resolves once the condition holds; it is looked at after everything that happens. */
  until: (condition: () => boolean) => Promise<void>;
  ended: Promise<void>;
  server: Server;
  agent: http.Agent;
}

let world: World;

afterEach(async () => {
  world.stop.abort();
  await world.ended;
  world.agent.destroy();
  for (const socket of world.sockets) socket.destroy();
  await new Promise((resolve) => {
    world.server.close(resolve);
  });
});

async function run(lists: Answer[], watches: Answer[], over: Partial<WatchOptions<KubernetesObject>> = {}): Promise<World> {
  let waiting: (() => void)[] = [];
  const happened = (): void => {
    for (const look of waiting) look();
  };
  const stop = new AbortController();
  world = {
    lists: [],
    watches: [],
    changes: [],
    failures: [],
    pauses: [],
    sockets: new Set(),
    stop,
    ended: Promise.resolve(),
    agent: new http.Agent({ keepAlive: true }),
    server: http.createServer(),
    until: (condition) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!condition()) return;
          waiting = waiting.filter((other) => other !== look);
          resolve();
        };
        waiting.push(look);
        look();
      }),
  };
  const { server, sockets, agent } = world;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      happened();
    });
  });
  server.on('request', (request, response) => {
    answer(request, response, [lists, watches]);
    happened();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  world.ended = listAndWatch({
    path: '/things',
    get: (path, signal) => get(agent, port, path, signal),
    onChange: (key, object) => {
      world.changes.push(`${key} ${object?.metadata.resourceVersion ?? 'gone'}`);
      happened();
    },
    onFailure: (failure) => {
      world.failures.push(failure);
      happened();
    },
    pause: async (milliseconds, signal) => {
      world.pauses.push(milliseconds);
      // A pause of its own, so that a loop without any other would still let the test look.
      if (!signal.aborted) await new Promise(setImmediate);
    },
    signal: stop.signal,
    random: () => 1,
    ...over,
  });
  return world;
}

function answer(request: IncomingMessage, response: ServerResponse, [lists, watches]: [Answer[], Answer[]]): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const watching = url.searchParams.get('watch') === 'true';
  const log = watching ? world.watches : world.lists;
  const answers = watching ? watches : lists;
  log.push(url);
  answers[Math.min(log.length, answers.length) - 1]?.(response, url);
}

function get(agent: http.Agent, port: number, path: string, signal: AbortSignal): ReturnType<WatchOptions<KubernetesObject>['get']> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent, signal }, (response) => {
      resolve({ status: response.statusCode ?? 0, body: response });
    });
    request.on('error', reject);
  });
}

const thing = (name: string, resourceVersion: string): KubernetesObject => ({ metadata: { name, namespace: 'ns', resourceVersion } });
const page =
  (resourceVersion: string, items: KubernetesObject[], next?: string): Answer =>
  (response) =>
    response.end(JSON.stringify({ items, metadata: { resourceVersion, continue: next } }));
const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
/** Sends the lines and leaves the watch open. */
const open =
  (...lines: string[]): Answer =>
  (response) => {
    response.flushHeaders();
    for (const line of lines) response.write(line);
  };
/** Sends the lines and ends the watch. */
const ended =
  (...lines: string[]): Answer =>
  (response) =>
    response.end(lines.join(''));
const status =
  (code: number): Answer =>
  (response) =>
    response.writeHead(code).end('{"kind":"Status"}');
const reset: Answer = (response) => response.socket?.destroy();

test('a list comes in pages, and the watch starts where it ended', async () => {
  const { until, changes } = await run([page('4', [thing('a', '1')], 'more'), page('5', [thing('b', '2')])], [open()]);
  await until(() => world.watches.length === 1);
  expect(changes).toEqual(['ns/a 1', 'ns/b 2']);
  expect(world.lists.map((url) => url.searchParams.get('continue'))).toEqual([null, 'more']);
  expect(world.lists[0]?.searchParams.get('limit')).toBe('100');
  const query = Object.fromEntries(world.watches[0]?.searchParams ?? []);
  expect(query).toEqual({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '5', timeoutSeconds: '300' });
});

test('selectors go with the list and the watch', async () => {
  await run([page('1', [])], [open()], { query: { fieldSelector: 'metadata.name=a' } });
  await world.until(() => world.watches.length === 1);
  for (const url of [world.lists[0], world.watches[0]]) expect(url?.searchParams.get('fieldSelector')).toBe('metadata.name=a');
});

test('changes are told once each; a bookmark and an object that is the same are none', async () => {
  const lines = [
    event('ADDED', thing('b', '2')),
    event('MODIFIED', thing('a', '1')),
    event('BOOKMARK', { metadata: { resourceVersion: '9' } }),
    event('MODIFIED', thing('a', '3')),
    event('DELETED', thing('b', '4')),
    event('DELETED', thing('never', '4')),
    event('ADDED', thing('end', '5')),
  ];
  const { until, changes } = await run([page('1', [thing('a', '1')])], [open(...lines)]);
  await until(() => changes.includes('ns/end 5'));
  expect(changes).toEqual(['ns/a 1', 'ns/b 2', 'ns/a 3', 'ns/b gone', 'ns/end 5']);
});

test('a line and a letter may come in pieces', async () => {
  const bytes = Buffer.from(event('ADDED', thing('ü', '2')));
  const pieces: Answer = (response) => {
    const send = (at: number): void => {
      if (at < bytes.length) response.write(bytes.subarray(at, at + 1), () => setImmediate(send, at + 1));
    };
    send(0);
  };
  const { until, changes } = await run([page('1', [])], [pieces]);
  await until(() => changes.length === 1);
  expect(changes).toEqual(['ns/ü 2']);
});

test('an object that went while the watch was down is told of by the next list', async () => {
  const { until, changes } = await run([page('1', [thing('a', '1'), thing('b', '1')]), page('2', [thing('b', '1')])], [reset, open()]);
  await until(() => world.watches.length === 2);
  expect(changes).toEqual(['ns/a 1', 'ns/b 1', 'ns/a gone']);
});

test('onSynced comes after each list, when all of it was told', async () => {
  const told: number[] = [];
  await run([page('1', [thing('a', '1')])], [reset, open()], { onSynced: () => told.push(world.changes.length) });
  await world.until(() => world.watches.length === 2);
  expect(told).toEqual([1, 1]);
});

test.each([
  ['as an event', open(event('ERROR', { code: 410 }))],
  ['as an answer', status(410)],
])('410 %s leads to one list', async (_name, gone) => {
  const { until, failures } = await run([page('1', [])], [gone, open()]);
  await until(() => world.watches.length === 2);
  expect(world.lists).toHaveLength(2);
  expect(failures).toEqual([{ step: 'watch', status: 410, code: 'Error', attempt: 0 }]);
});

test('a list that is refused is told with its status, and not taken for an empty one', async () => {
  const { until, failures, changes } = await run(
    [page('1', [thing('a', '1')]), status(403), page('1', [thing('a', '1')])],
    [reset, open()],
  );
  await until(() => world.watches.length === 2);
  expect(failures.map((failure) => [failure.step, failure.status])).toEqual([
    ['watch', 0],
    ['list', 403],
  ]);
  expect(changes).toEqual(['ns/a 1']);
});

test('a watch that is refused and left open is closed from here', async () => {
  const refused: Answer = (response) => response.writeHead(403).flushHeaders();
  const { until, sockets } = await run([page('1', [])], [refused, refused, refused, open()]);
  await until(() => world.watches.length === 4);
  await until(() => sockets.size === 1);
  expect(world.failures).toHaveLength(3);
});

test('410 in the middle of a list starts it anew, and nothing is taken for deleted', async () => {
  const { until, changes } = await run(
    [
      page('1', [thing('a', '1'), thing('b', '1')]),
      page('2', [thing('a', '1')], 'more'),
      status(410),
      page('3', [thing('a', '1'), thing('b', '1')]),
    ],
    [reset, open()],
  );
  await until(() => world.watches.length === 2);
  expect(changes).toEqual(['ns/a 1', 'ns/b 1']);
});

test.each([
  ['that is not JSON', open('<html>\n'), 'SyntaxError'],
  ['longer than anybody needs', open('x'.repeat(5000)), 'TooLarge'],
])('a line %s leads to a list', async (_name, garbage, code) => {
  const { until, failures } = await run([page('1', [])], [garbage, open()], { mostCharacters: 4000 });
  await until(() => world.watches.length === 2);
  expect(failures.map((failure) => failure.code)).toEqual([code]);
  expect(world.lists).toHaveLength(2);
});

test.each([
  ['that is not a list', (response: ServerResponse) => response.end('[]'), 'TypeError'],
  ['longer than anybody needs', (response: ServerResponse) => response.end('x'.repeat(5000)), 'TooLarge'],
])('an answer %s leads to another list', async (_name, garbage, code) => {
  const { until, failures } = await run([garbage, page('1', [])], [open()], { mostCharacters: 4000 });
  await until(() => world.watches.length === 1);
  expect(failures.map((failure) => [failure.step, failure.code])).toEqual([['list', code]]);
});

test('a silent watch is given up, one that is alive is not', async () => {
  let beats = 0;
  const alive: Answer = (response) => {
    const beat = setInterval(() => {
      beats += 1;
      if (beats === 15) clearInterval(beat);
      response.write(event('BOOKMARK', {}));
    }, 50);
  };
  const { until, failures } = await run([page('1', [])], [alive, open()], { idleMilliseconds: 600 });
  await until(() => failures.length === 1);
  expect(beats).toBe(15);
  expect(failures).toEqual([{ step: 'watch', status: 0, code: 'IdleTimeout', attempt: 0 }]);
  await until(() => world.watches.length === 2);
});

test('a watch that gets no answer at all is given up, too, and its connection closed', async () => {
  const { until, failures, sockets } = await run([page('1', [])], [() => undefined, open()], { idleMilliseconds: 50 });
  await until(() => failures.length === 1 && world.watches.length === 2);
  await until(() => sockets.size <= 1);
  expect(failures[0]?.code).toBe('IdleTimeout');
});

describe('a network that drops all packets', () => {
  beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
  afterEach(() => jest.useRealTimers());

  test('is noticed within 300 s unless told otherwise, though each of two kept connections is tried and is dead, too', async () => {
    const asked: string[] = [];
    const stop = new AbortController();
    const answers = [list, silence, silence, silence, list];
    const ended = listAndWatch({
      path: '/things',
      get: (path, signal) => {
        asked.push(path.includes('watch=true') ? 'watch' : 'list');
        return (answers[asked.length - 1] ?? silence)(signal);
      },
      onChange: () => undefined,
      signal: stop.signal,
      random: () => 1,
      pause: () => Promise.resolve(),
    });
    for (let second = 0; second < 300; second += 1) {
      await new Promise(setImmediate);
      jest.advanceTimersByTime(1000);
    }
    await new Promise(setImmediate);
    expect(asked).toEqual(['list', 'watch', 'list', 'list', 'list', 'watch']);
    stop.abort();
    await ended;
  });

  const list = (): Promise<{ status: number; body: AsyncIterable<string> }> =>
    Promise.resolve({ status: 200, body: Readable.from([JSON.stringify({ items: [], metadata: { resourceVersion: '1' } })]) });
  const silence = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
});

test('while the server is away the pauses grow to 20 s, and it is found again', async () => {
  const away = Array.from({ length: 7 }, () => reset);
  const { until, failures, pauses } = await run([...away, page('1', [thing('a', '1')])], [open()]);
  await until(() => world.watches.length === 1);
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
  expect(failures.map(({ attempt }) => attempt)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(world.changes).toEqual(['ns/a 1']);
});

test.each([
  ['ends', ended(), 0],
  ['refuses', status(500), 5],
])('a server that lists well and %s each watch is not asked in a hot loop', async (_name, bad, failed) => {
  const { until, failures, pauses } = await run([page('1', [])], [...Array.from({ length: 5 }, () => bad), open()]);
  await until(() => world.watches.length === 6);
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000]);
  expect(failures).toHaveLength(failed);
});

test('no pause is shorter than 250 ms, whatever the dice say', async () => {
  const { until, pauses } = await run([page('1', [])], [ended(event('BOOKMARK', {})), reset, open()], { random: () => 0 });
  await until(() => world.watches.length === 3);
  expect(pauses).toEqual([250, 250]);
});

test('a watch that brought something and ends in time is no failure, and starts the pauses anew', async () => {
  const good = ended(event('BOOKMARK', {}));
  const { until, failures, pauses } = await run([page('1', [])], [reset, reset, good, good, open()]);
  await until(() => world.watches.length === 5);
  expect(pauses).toEqual([1000, 2000, 1000, 1000]);
  expect(failures).toHaveLength(2);
});

const bang = (): never => {
  throw new RangeError('handler');
};

test('a handler that throws does not end the watch', async () => {
  const seen: string[] = [];
  const { until, failures } = await run(
    [page('1', [thing('a', '1')])],
    [open(event('ADDED', thing('b', '2')), event('ADDED', thing('c', '3')))],
    {
      onChange: (key) => {
        seen.push(key);
        bang();
      },
      onSynced: bang,
    },
  );
  await until(() => failures.length === 4);
  expect(seen).toEqual(['ns/a', 'ns/b', 'ns/c']);
  expect(failures.every(({ step, code }) => step === 'handler' && code === 'RangeError')).toBe(true);
  expect([world.lists.length, world.watches.length]).toEqual([1, 1]);
});

test('nor does one that throws when it is told of failures', async () => {
  const { until, changes } = await run([reset, page('1', [thing('a', '1')])], [open()], { onFailure: bang });
  await until(() => changes.length === 1);
  expect(world.lists).toHaveLength(2);
});

describe('abort', () => {
  test('ends a watch at once: no connection and no call is left', async () => {
    const { until, stop, sockets, changes, failures } = await run([page('1', [])], [open(event('ADDED', thing('a', '1')))]);
    await until(() => changes.length === 1);
    stop.abort();
    await world.ended;
    world.agent.destroy();
    await until(() => sockets.size === 0);
    expect(failures).toEqual([]);
    expect(world.watches).toHaveLength(1);
  });

  test('ends a list that hangs', async () => {
    const { until, stop, failures } = await run([() => undefined], []);
    await until(() => world.lists.length === 1);
    stop.abort();
    await world.ended;
    expect(failures).toEqual([]);
  });

  test('between two pages asks for no more', async () => {
    const first: Answer = (response, url) => page('1', [thing('a', '1')], 'more')(response, url);
    const stop = new AbortController();
    await run([first], [], { signal: stop.signal, onChange: () => stop.abort() });
    await world.ended;
    expect(world.lists).toHaveLength(1);
  });

  test('ends a pause', async () => {
    const stop = new AbortController();
    const { pause: _none, ...over } = { pause: undefined, signal: stop.signal };
    await run([reset], [], {
      ...over,
      pause: (_milliseconds, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    });
    await world.until(() => world.failures.length === 1);
    stop.abort();
    await world.ended;
    expect(world.lists).toHaveLength(1);
  });

  test('tells of nothing that was on its way', async () => {
    const stop = new AbortController();
    const seen: string[] = [];
    const lines = [event('ADDED', thing('a', '1')) + event('ADDED', thing('b', '2'))];
    await run([page('1', [])], [open(...lines)], {
      signal: stop.signal,
      onChange: (key) => {
        seen.push(key);
        stop.abort();
      },
    });
    await world.ended;
    await new Promise(setImmediate);
    expect(seen).toEqual(['ns/a']);
  });
});
