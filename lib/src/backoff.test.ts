import { backoff, sleep } from './backoff.ts';

test('backoff doubles up to its cap and is jittered over the whole range', () => {
  const most = [0, 1, 2, 10, 1000].map((attempt) => backoff(attempt, () => 1));
  expect(most).toEqual([1000, 2000, 4000, 20_000, 20_000]);
  expect(backoff(3, () => 0)).toBe(0);
  expect(backoff(1, () => 0.5)).toBe(1000);
});

test('sleep ends at once when aborted, before or during it', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort();
  await sleeping;
  await sleep(60_000, controller.signal);
  expect(controller.signal.aborted).toBe(true);
});
