import type { Kubernetes } from '../kubernetes.ts';
import { Budget, counted } from './budget.ts';

function start() {
  let time = 0;
  const budget = new Budget({ now: () => time });
  return {
    budget,
    pass: (milliseconds: number): number => (time += milliseconds),
    spend: (times: number): void => {
      for (let n = 0; n < times; n += 1) budget.spend();
    },
  };
}

test('a burst goes out at once, and what comes after it at a steady pace', () => {
  const { budget, spend, pass } = start();
  spend(239);
  expect(budget.wait()).toBe(0);
  spend(1);
  expect(budget.wait()).toBe(63);
  pass(62);
  expect(budget.wait()).toBeGreaterThan(0);
  pass(1);
  expect(budget.wait()).toBe(0);
});

test('no minute of work that can wait has more than twenty writes a second', () => {
  const { budget, pass } = start();
  let written = 0;
  for (let time = 0; time < 60_000; time += 1, pass(1)) {
    if (budget.wait() > 0) continue;
    budget.spend();
    written += 1;
  }
  expect(written).toBeLessThanOrEqual(1200);
  expect(written).toBeGreaterThan(1100);
});

test('urgent writes are made whatever is left, and what can wait makes up for them', () => {
  const { budget, spend, pass } = start();
  spend(256);
  expect(budget.wait()).toBe(1063);
  pass(1063);
  expect(budget.wait()).toBe(0);
});

test('quiet hours save up no more than one burst', () => {
  const { budget, spend, pass } = start();
  pass(3_600_000);
  spend(240);
  expect(budget.wait()).toBeGreaterThan(0);
});

test('it is tight while less than a quarter of the burst is left', () => {
  const { budget, spend, pass } = start();
  spend(180);
  expect(budget.isTight).toBe(false);
  spend(1);
  expect(budget.isTight).toBe(true);
  pass(63);
  expect(budget.isTight).toBe(false);
});

test('a clock that was set back takes nothing away', () => {
  const { budget, spend, pass } = start();
  spend(100);
  pass(-10_000);
  expect(budget.wait()).toBe(0);
});

test('writes count, reads do not', async () => {
  const { budget, spend } = start();
  const asked: string[] = [];
  const fake = Object.fromEntries(
    ['get', 'read', 'create', 'apply', 'patch'].map((verb) => [verb, (path: string) => Promise.resolve(asked.push(`${verb} ${path}`))]),
  ) as unknown as Kubernetes;
  const kubernetes = counted(fake, budget);
  spend(237);
  await kubernetes.read('/a');
  await kubernetes.get('/b', new AbortController().signal);
  await kubernetes.create('/c', {});
  await kubernetes.apply('/d', {});
  expect(budget.wait()).toBe(0);
  await kubernetes.patch('/e', {});
  expect(budget.wait()).toBeGreaterThan(0);
  expect(asked).toEqual(['read /a', 'get /b', 'create /c', 'apply /d', 'patch /e']);
});
