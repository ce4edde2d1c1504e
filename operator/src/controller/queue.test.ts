import { jest } from '@jest/globals';
import { until } from '@rekey/lib/process.real.ts';
import { Queue } from './queue.ts';
import type { QueueOptions } from './queue.ts';

/** A queue whose runs end when the test says so. */
function start(options: Partial<QueueOptions> = {}) {
  const ran: string[] = [];
  const running = new Map<string, (result?: number | Error) => void>();
  const errors: string[] = [];
  const stop = new AbortController();
  const queue = new Queue({
    reconcile: (key) =>
      new Promise((resolve, reject) => {
        ran.push(key);
        running.set(key, (result) => (result instanceof Error ? reject(result) : resolve(result)));
      }),
    onError: (key, _error, attempt) => errors.push(`${key} ${attempt}`),
    signal: stop.signal,
    gapMilliseconds: 1,
    spacingMilliseconds: 1,
    random: () => 0,
    ...options,
  });
  const end = async (key: string, result?: number | Error): Promise<void> => {
    const finish = await until(() => running.get(key));
    running.delete(key);
    finish(result);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, ran, errors, end, stop };
}

const runs = (ran: string[], count: number): Promise<boolean> => until(() => (ran.length >= count ? true : undefined));

test('a key that is added often while it waits runs once', async () => {
  const { queue, ran, end } = start({ concurrency: 1 });
  queue.add('first');
  for (const key of ['a', 'a', 'b', 'a']) queue.add(key);
  for (const key of ['first', 'a', 'b']) await end(key);
  expect(ran).toEqual(['first', 'a', 'b']);
});

test('a key never runs twice at a time; added while it runs, it runs once more', async () => {
  const { queue, ran, end } = start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  expect(ran).toEqual(['a']);
  await end('a');
  await end('a');
  expect(ran).toEqual(['a', 'a']);
});

test('what is urgent overtakes what is paced', async () => {
  const { queue, ran, end } = start({ concurrency: 1, gapMilliseconds: 0 });
  queue.add('busy');
  queue.add('paced', 'paced');
  await new Promise((resolve) => setTimeout(resolve, 80));
  queue.add('urgent');
  await end('busy');
  await end('urgent');
  await end('paced');
  expect(ran).toEqual(['busy', 'urgent', 'paced']);
});

test('what is paced waits for room to write, and what is urgent does not', async () => {
  let wait = 30;
  const { queue, ran, end } = start({ gapMilliseconds: 0, room: () => wait });
  queue.add('paced', 'paced');
  queue.add('urgent');
  await end('urgent');
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(ran).toEqual(['urgent']);
  wait = 0;
  await end('paced');
  expect(ran).toEqual(['urgent', 'paced']);
});

test('a key that yields runs again later, and at once when others need no room any more', async () => {
  let yields = true;
  const { queue, ran, end } = start({ gapMilliseconds: 0, yieldingMilliseconds: 60_000, yields: () => yields });
  queue.add('a', 'paced');
  await end('a');
  queue.add('a', 'paced');
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(ran).toEqual(['a']);
  yields = false;
  await end('a');
  expect(ran).toEqual(['a', 'a']);
});

test('it is behind while paced keys wait for room', async () => {
  let wait = 1000;
  const { queue, end } = start({ gapMilliseconds: 0, room: () => wait });
  queue.add('a', 'paced');
  expect(queue.isBehind).toBe(false);
  await until(() => (queue.isBehind ? true : undefined));
  wait = 0;
  await end('a');
  expect(queue.isBehind).toBe(false);
});

test('a paced key that becomes urgent runs once', async () => {
  const { queue, ran, end } = start({ concurrency: 1, gapMilliseconds: 0 });
  queue.add('busy');
  queue.add('a', 'paced');
  await new Promise((resolve) => setTimeout(resolve, 80));
  queue.add('a');
  for (const key of ['busy', 'a']) await end(key);
  queue.add('b');
  await end('b');
  expect(ran).toEqual(['busy', 'a', 'b']);
});

test('paced runs of one key keep their distance, and hold no other key', async () => {
  let time = 10_000;
  const { queue, ran, end, stop } = start({ spacingMilliseconds: 60_000, gapMilliseconds: 0, now: () => time });
  queue.add('a', 'paced');
  await end('a');
  time += 1000;
  queue.add('a', 'paced');
  queue.add('b', 'paced');
  await end('b');
  expect(ran).toEqual(['a', 'b']);
  stop.abort();
});

test('a clock that is set back by an hour holds nothing up', async () => {
  const { queue, ran, end } = start({ spacingMilliseconds: 1, gapMilliseconds: 1 });
  queue.add('a', 'paced');
  await end('a');
  const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000);
  queue.add('a', 'paced');
  await end('a');
  clock.mockRestore();
  expect(ran).toEqual(['a', 'a']);
});

test('paced runs of all keys keep their distance', async () => {
  let time = 10_000;
  const { queue, ran, end, stop } = start({ gapMilliseconds: 60_000, now: () => time });
  queue.add('a', 'paced');
  queue.add('b', 'paced');
  await end('a');
  await new Promise((resolve) => setTimeout(resolve, 80));
  expect(ran).toEqual(['a']);
  time += 60_000;
  queue.add('c');
  await end('b');
  expect(ran.toSorted()).toEqual(['a', 'b', 'c']);
  stop.abort();
});

test('a failure is tried again, and the count of failures starts anew after a success', async () => {
  const { queue, ran, errors, end } = start();
  queue.add('a');
  await end('a', new Error('no'));
  await runs(ran, 2);
  await end('a', new Error('no'));
  await runs(ran, 3);
  await end('a');
  queue.add('a');
  await end('a', new Error('no'));
  expect(errors).toEqual(['a 0', 'a 1', 'a 0']);
});

test('a key asks to be looked at again', async () => {
  const { queue, ran, end } = start();
  queue.add('a');
  await end('a', 1);
  await runs(ran, 2);
  expect(ran).toEqual(['a', 'a']);
});

test('no more keys run at a time than allowed', async () => {
  const { queue, ran, end } = start({ concurrency: 2 });
  for (const key of ['a', 'b', 'c']) queue.add(key);
  expect(ran).toEqual(['a', 'b']);
  await end('b');
  expect(ran).toEqual(['a', 'b', 'c']);
});

test('nothing starts after the end', async () => {
  const { queue, ran, end, stop } = start({ concurrency: 1 });
  queue.add('a');
  queue.add('b');
  stop.abort();
  queue.add('c');
  await end('a');
  expect(ran).toEqual(['a']);
});
