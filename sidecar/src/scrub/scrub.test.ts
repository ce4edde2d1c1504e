import { SecretValue } from '@rekey/lib/secret-value.ts';
import { needlesOf } from './needles.ts';
import { Window } from './window.ts';

const text = 'sk-live+/= 0123"\\456789';
const value = new SecretValue(text);
const placeholder = 'rekey-placeholder-github';

function scrubbed(whole: string | Buffer, sizes: (length: number) => number): { text: string; count: number } {
  const bytes = Buffer.from(whole as string, 'latin1');
  const window = new Window(needlesOf(value), placeholder);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = Math.max(1, sizes(bytes.length - at));
    parts.push(window.push(bytes.subarray(at, at + size)));
    at += size;
  }
  parts.push(window.end());
  return { text: Buffer.concat(parts).toString('latin1'), count: window.count };
}

const forms: Record<string, string> = {
  'as it is': text,
  'escaped for JSON': JSON.stringify(text).slice(1, -1),
  'encoded for a URL': encodeURIComponent(text),
  'encoded for a form': encodeURIComponent(text).replaceAll('%20', '+'),
  'in base64': Buffer.from(text).toString('base64'),
  'in base64 for URLs': Buffer.from(text).toString('base64url'),
};

describe.each(Object.entries(forms))('a value %s', (_name, form) => {
  test.each([1, 2, 3, 7, 1000])('is replaced in chunks of %d bytes, and nothing else changes', (size) => {
    const whole = `{"before":"${'x'.repeat(40)}","value":"${form}","after":"sk-live"} ${form}`;
    const { text: after, count } = scrubbed(whole, () => size);
    expect(after).toBe(whole.replaceAll(form, placeholder));
    expect(count).toBe(2);
  });
});

test.each(['u', 'us', 'user', 'another-user'])('inside the base64 of %s:value no part of it that stands for the value is left', (user) => {
  const whole = Buffer.from(`${user}:${text}`).toString('base64');
  const { text: after, count } = scrubbed(`Basic ${whole}`, () => 5);
  expect(count).toBe(1);
  const left = Buffer.from(after.replace('Basic ', '').replace(placeholder, ''), 'base64').toString('latin1');
  expect(left.includes(text.slice(2, -2))).toBe(false);
});

test('cut at random, an answer comes out as when it is whole', () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  for (let run = 0; run < 300; run += 1) {
    const whole = Array.from(
      { length: 20 },
      () => [text, text.slice(0, 9), 'sk-', 'plain ', forms['in base64'] ?? ''][Math.floor(random() * 5)],
    ).join('');
    expect(scrubbed(whole, (left) => Math.ceil(random() * left)).text).toBe(scrubbed(whole, (left) => left).text);
  }
});

test('only what may be the beginning of a value is held back: an event goes out at once', () => {
  const window = new Window(needlesOf(value), placeholder);
  expect(window.push(Buffer.from('data: hello\n\n')).toString()).toBe('data: hello\n\n');
  expect(window.push(Buffer.from('data: sk-li')).toString()).toBe('data: ');
  expect(window.push(Buffer.from('on\n\n')).toString()).toBe('sk-lion\n\n');
  expect(window.end().toString()).toBe('');
});

test('what is held back at the end goes out as it is', () => {
  const window = new Window(needlesOf(value), placeholder);
  window.push(Buffer.from('a sk-live'));
  expect(window.end().toString()).toBe('sk-live');
});

test('a text that is too short to be a secret is not looked for', () => {
  expect(needlesOf(new SecretValue('short'))).toEqual([]);
});
