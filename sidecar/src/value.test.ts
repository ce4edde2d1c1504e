import { Failure } from '@rekey/lib/reason.ts';
import { valueOf } from './value.ts';

const good: Record<string, [unknown, string]> = {
  'a plain token': ['ghp_0123456789', 'ghp_0123456789'],
  'one line feed at the end is trimmed': ['token\n', 'token'],
  'one CRLF at the end is trimmed': ['token\r\n', 'token'],
  'a space inside stays': ['two words', 'two words'],
  'one character': ['x', 'x'],
  'the words that stand for nothing are values like others': ['undefined', 'undefined'],
  'exactly 16 KiB': ['a'.repeat(16_384), 'a'.repeat(16_384)],
  '16 KiB and a line feed': [`${'a'.repeat(16_384)}\n`, 'a'.repeat(16_384)],
};

test.each(Object.entries(good))('%s', (_name, [raw, text]) => {
  expect(valueOf({ token: raw }, 'token', 'kv/mcp/github').reveal()).toBe(text);
});

const bad: Record<string, [Record<string, unknown>, string]> = {
  'no such key': [{ other: 'x' }, 'KeyNotFound'],
  'a key that only the prototype has': [{}, 'KeyNotFound'],
  undefined: [{ token: undefined }, 'KeyNotFound'],
  null: [{ token: null }, 'SecretValueNotString'],
  'a number': [{ token: 8 }, 'SecretValueNotString'],
  'a boolean': [{ token: true }, 'SecretValueNotString'],
  'an object': [{ token: { sk: 1 } }, 'SecretValueNotString'],
  'a list': [{ token: ['sk'] }, 'SecretValueNotString'],
  empty: [{ token: '' }, 'SecretValueEmpty'],
  'a line feed alone': [{ token: '\n' }, 'SecretValueEmpty'],
  'two line feeds at the end': [{ token: 'sk-1\n\n' }, 'SecretValueInvalid'],
  'a line feed inside': [{ token: 'sk-1\nHost: evil' }, 'SecretValueInvalid'],
  'a carriage return at the end': [{ token: 'sk-1\r' }, 'SecretValueInvalid'],
  'a NUL': [{ token: 'sk-1\0' }, 'SecretValueInvalid'],
  'a tab': [{ token: 'sk\t1' }, 'SecretValueInvalid'],
  'a delete': [{ token: 'sk\u007F1' }, 'SecretValueInvalid'],
  'Latin-1': [{ token: 'sk-é' }, 'SecretValueInvalid'],
  'beyond Latin-1': [{ token: 'sk-\u{1F511}' }, 'SecretValueInvalid'],
  'a lone surrogate': [{ token: 'sk-\uD800' }, 'SecretValueInvalid'],
  'a space at the end': [{ token: 'sk-1 ' }, 'SecretValueInvalid'],
  'a space at the begin': [{ token: ' sk-1' }, 'SecretValueInvalid'],
  'over 16 KiB': [{ token: 'a'.repeat(16_385) }, 'SecretValueTooLarge'],
};

test.each(Object.entries(bad))('%s has a reason, and the message holds nothing of the value', (name, [secret, reason]) => {
  const key = name === 'a key that only the prototype has' ? 'toString' : 'token';
  const failure = caught(() => valueOf(secret, key, 'kv/mcp/github'));
  expect(failure.reason).toBe(reason);
  expect(failure.message).toContain('kv/mcp/github');
  expect(failure.message).not.toMatch(/sk-|aaa/u);
});

function caught(task: () => unknown): Failure {
  try {
    task();
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('no Failure');
}
