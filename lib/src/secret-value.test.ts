import { inspect } from 'node:util';
import { SecretValue } from './secret-value.ts';

const text = 'sk-live-0123456789';
const value = new SecretValue(text);

test('reveal is the only way out', () => {
  expect(value.reveal()).toBe(text);
  const ways = [
    String(value),
    ''.concat(value as unknown as string),
    JSON.stringify({ value }),
    inspect({ value }, { showHidden: true, depth: 9 }),
    Object.values(value).join(),
    structuredCloneOrNothing(),
  ];
  for (const way of ways) expect(way).not.toContain(text);
});

test('two values are equal when their texts are', () => {
  expect(value.equals(new SecretValue(text))).toBe(true);
  expect(value.equals(new SecretValue(`${text}x`))).toBe(false);
});

function structuredCloneOrNothing(): string {
  return JSON.stringify(structuredClone(value));
}
