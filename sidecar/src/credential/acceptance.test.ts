import { Acceptance } from './acceptance.ts';
import { fakeClock } from '../clock.fake.ts';

test('what the usual call says is no news', () => {
  const acceptance = new Acceptance(fakeClock());
  expect(acceptance.report('7', true, '7')).toBe(true);
  expect(acceptance.report('7', true, '7')).toBe(false);
  expect(acceptance.accepted).toBe('7');
});

test('a refusal is news once, and stands for the version in use alone', () => {
  const acceptance = new Acceptance(fakeClock());
  expect(acceptance.report('7', false, '7')).toBe(true);
  expect(acceptance.report('7', false, '7')).toBe(false);
  expect(acceptance.problem('7')).toMatchObject({ reason: 'CredentialRefused', message: 'the upstream refuses version 7' });
  expect(acceptance.problem('8')).toBeUndefined();
});

test('the next version that is accepted ends it', () => {
  const acceptance = new Acceptance(fakeClock());
  acceptance.report('7', false, '7');
  expect(acceptance.report('8', true, '8')).toBe(true);
  expect(acceptance.accepted).toBe('8');
  expect(acceptance.problem('7')).toBeUndefined();
});

test('an upstream that refuses some calls and accepts others does not make it flap', async () => {
  const clock = fakeClock();
  const acceptance = new Acceptance(clock);
  acceptance.report('7', true, '7');
  acceptance.report('7', false, '7');
  let news = 0;
  for (let call = 0; call < 100; call += 1) {
    await clock.pass(200);
    news += Number(acceptance.report('7', call % 2 === 0, '7'));
  }
  expect(news).toBe(0);
  expect(acceptance.problem('7')).toBeDefined();
  await clock.pass(10_000);
  expect(acceptance.report('7', true, '7')).toBe(true);
  expect(acceptance.problem('7')).toBeUndefined();
});

test('a long call that began with the older version takes nothing back', () => {
  const acceptance = new Acceptance(fakeClock());
  acceptance.report('8', true, '8');
  expect(acceptance.report('7', true, '8')).toBe(false);
  expect(acceptance.accepted).toBe('8');
  acceptance.report('8', false, '8');
  expect(acceptance.report('7', true, '8')).toBe(false);
  expect(acceptance.problem('8')).toBeDefined();
});
