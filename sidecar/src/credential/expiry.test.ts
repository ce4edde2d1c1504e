import { Expiry, expiryIn } from './expiry.ts';

const name = 'github-authentication-token-expiration';
const texts: Record<string, string | undefined> = {
  '2026-12-31 13:44:49 UTC': '2026-12-31T13:44:49.000Z',
  '2026-12-31 13:44:49 -0800': '2026-12-31T21:44:49.000Z',
  '2026-12-31 13:44:49 +05:30': '2026-12-31T08:14:49.000Z',
  '2026-12-31T13:44:49Z': '2026-12-31T13:44:49.000Z',
  '2026-12-31': undefined,
  never: undefined,
  '2026-13-31 13:44:49 UTC': undefined,
  '': undefined,
};

test.each(Object.entries(texts))('an end of "%s" is %s', (text, expected) => {
  expect(expiryIn(['Date', 'x', name, text])?.toISOString()).toBe(expected);
});

test('the field is found in whatever case, and nothing is made of other fields', () => {
  expect(expiryIn(['GitHub-Authentication-Token-Expiration', '2026-12-31T13:44:49Z'])).toBeDefined();
  expect(expiryIn(['Expires', '2026-12-31T13:44:49Z'])).toBeUndefined();
});

test('an end is news once, belongs to its version, and is looked for in the first answers only', () => {
  const expiry = new Expiry();
  const told = [name, '2026-12-31T13:44:49Z'];
  expect([expiry.learn('7', []), expiry.learn('7', told), expiry.learn('7', told)]).toEqual([false, true, false]);
  expect(expiry.of('7')?.toISOString()).toBe('2026-12-31T13:44:49.000Z');
  expect(expiry.of('8')).toBeUndefined();
  for (let answer = 0; answer < 20; answer += 1) expiry.learn('8', []);
  expect([expiry.learn('8', told), expiry.of('8')]).toEqual([false, undefined]);
});
