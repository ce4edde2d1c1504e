import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '@rekey/lib/process.real.ts';
import { BusyPoll, isUnlimited } from './busy-poll.ts';

/** A loop that turns each 1/64 ms; 0.2 ms are 12.8 turns. */
class FakeLoop {
  calls = 1;
  /** How often it did not sleep. */
  looked = 0;
  hasSpare = true;
  readonly poll = new BusyPoll(() => this.calls, {
    now: () => this.#turns / 64,
    look: (task) => void this.#due.push(task),
    hasSpare: () => this.hasSpare,
  });
  #turns = 0;
  #due: (() => void)[] = [];

  pass(turns: number): void {
    for (let n = 0; n < turns; n += 1) {
      this.#turns += 1;
      const tasks = this.#due;
      this.#due = [];
      this.looked += tasks.length;
      for (const task of tasks) task();
    }
  }

  come(times: number, every: number): void {
    for (let n = 0; n < times; n += 1) {
      this.pass(every);
      this.poll.came();
    }
  }
}

test('what has followed so fast 16 times is waited for awake', () => {
  const loop = new FakeLoop();
  loop.come(1, 1);
  loop.come(15, 12);
  loop.pass(12);
  expect(loop.looked).toBe(0);
  loop.poll.came();
  loop.pass(12);
  expect(loop.looked).toBe(12);
  loop.poll.came();
  loop.come(10, 12);
  expect(loop.looked).toBe(132);
});

test('it is waited for 0.2 ms, and then the loop sleeps until the next 16 have come', () => {
  const loop = new FakeLoop();
  loop.come(17, 12);
  loop.pass(1000);
  expect(loop.looked).toBe(13);
  loop.come(16, 12);
  loop.pass(12);
  expect(loop.looked).toBe(13);
  loop.poll.came();
  loop.pass(12);
  expect(loop.looked).toBe(25);
});

test.each([
  ['that takes a millisecond', 0, 1000],
  ['that takes a millisecond one time in ten', 9, 100],
])('an upstream %s is never waited for awake', (_, quick, rounds) => {
  const loop = new FakeLoop();
  for (let n = 0; n < rounds; n += 1) {
    loop.come(quick, 3);
    loop.come(1, 64);
  }
  expect(loop.looked).toBe(0);
});

test('there is no polling while two calls are under way, nor for 16 arrivals after it, and what has begun of it ends', () => {
  const loop = new FakeLoop();
  loop.come(17, 12);
  loop.pass(5);
  loop.calls = 2;
  loop.pass(5);
  expect(loop.looked).toBe(6);
  loop.come(20, 2);
  expect(loop.looked).toBe(6);
  loop.calls = 1;
  loop.come(15, 2);
  loop.pass(2);
  expect(loop.looked).toBe(6);
  loop.poll.came();
  loop.pass(5);
  expect(loop.looked).toBe(11);
});

test('what comes while it polls does not make it poll twice', () => {
  const loop = new FakeLoop();
  loop.come(17, 12);
  loop.come(10, 1);
  expect(loop.looked).toBe(10);
});

test('there is no polling where somebody would miss the CPU', () => {
  const loop = new FakeLoop();
  loop.hasSpare = false;
  loop.come(100, 1);
  expect(loop.looked).toBe(0);
});

test.each([
  ['cpu.max', 'max 100000\n', true],
  ['cpu.max', '10000 100000\n', false],
  ['cpu/cpu.cfs_quota_us', '-1\n', true],
  ['cpu/cpu.cfs_quota_us', '10000\n', false],
  ['memory.max', '67108864\n', true],
  ['cpu.max/not-a-file', '', false],
])('a container whose %s says %j is without a limit of CPU: %s', (file, text, isFree) => {
  const folder = temporaryFolder('cgroup');
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
  expect(isUnlimited(folder)).toBe(isFree);
  rmSync(folder, { recursive: true });
});
