import { Failure } from '@rekey/lib/reason.ts';
import { textValue, valueOf } from './value.ts';

const good: Record<string, [unknown, string]> = {
  'a plain token': ['ghp_0123456789', 'ghp_0123456789'],
  'one line feed at the end is trimmed': ['token\n', 'token'],
  'one CRLF at the end is trimmed': ['token\r\n', 'token'],
  'a space inside stays': ['two words', 'two words'],
  'one character': ['x', 'x'],
  'a word that only begins like one for nothing': ['nullable', 'nullable'],
  'exactly 16 KiB': ['a'.repeat(16_384), 'a'.repeat(16_384)],
  '16 KiB and a line feed': [`${'a'.repeat(16_384)}\n`, 'a'.repeat(16_384)],
};

test.each(Object.entries(good))('%s', (_name, [raw, text]) => {
  expect(valueOf({ token: raw }, 'token', 'kv/mcp/github').reveal()).toBe(text);
});

test.each<[string, Record<string, unknown>, string]>([
  ['a nested key', { oauth: { token: 'sk-1' } }, 'oauth.token'],
  ['a key with a dot, before a nested one', { oauth: { token: 'sk-2' }, 'oauth.token': 'sk-1' }, 'oauth.token'],
  ['a key beside one that cannot be used', { token: 'sk-1', other: 'a\nb', list: [1] }, 'token'],
])('%s', (_name, secret, key) => {
  expect(valueOf(secret, key, 'kv/mcp/github').reveal()).toBe('sk-1');
});

const pair = { password: 'sk:1', login: { user: 'bot@example.com\n', colon: 'a:b', number: 7 } };

test('a value has the user that another key of the secret holds', () => {
  const value = valueOf(pair, 'password', 'kv/mcp/jira', 'login.user');
  expect([value.reveal(), value.user?.reveal()]).toEqual(['sk:1', 'bot@example.com']);
  const text = textValue(JSON.stringify(pair), 'password', 'mcp/jira', 'login.user');
  expect(text.equals(value)).toBe(true);
  expect(text.equals(valueOf(pair, 'password', 'kv/mcp/jira'))).toBe(false);
});

test.each([
  ['login.other', 'KeyNotFound', 'has no key login.other'],
  ['login.number', 'SecretValueNotString', 'key login.number'],
  ['login.colon', 'SecretValueInvalid', 'key login.colon of kv/mcp/jira holds a colon'],
])('a user that is none: %s is %s', (key, reason, message) => {
  const failure = caught(() => valueOf(pair, 'password', 'kv/mcp/jira', key));
  expect([failure.reason, failure.message]).toEqual([reason, expect.stringContaining(message)]);
});

test.each<[string, Record<string, unknown>, string]>([
  ['a path that ends early', { oauth: 'sk-1' }, 'oauth.token'],
  ['a path through a list', { oauth: ['sk-1'] }, 'oauth.0'],
  ['a path through null', { oauth: null }, 'oauth.token'],
  ['a path through the prototype', { oauth: {} }, 'oauth.constructor.name'],
  ['a path with an empty part', { oauth: { token: 'sk-1' } }, 'oauth..token'],
])('%s is KeyNotFound', (_name, secret, key) => {
  expect(caught(() => valueOf(secret, key, 'kv/mcp/github')).reason).toBe('KeyNotFound');
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
  'a carriage return inside': [{ token: 'sk\r1' }, 'SecretValueInvalid'],
  binary: [{ token: Buffer.from([0x73, 0x6b, 0x2d, 0, 1, 0x1b, 0xff]).toString('latin1') }, 'SecretValueInvalid'],
  'a control character beyond ASCII': [{ token: 'sk-\u0085' }, 'SecretValueInvalid'],
  'a NUL': [{ token: 'sk-1\0' }, 'SecretValueInvalid'],
  'a tab': [{ token: 'sk\t1' }, 'SecretValueInvalid'],
  'a delete': [{ token: 'sk\u007F1' }, 'SecretValueInvalid'],
  'Latin-1': [{ token: 'sk-é' }, 'SecretValueInvalid'],
  'beyond Latin-1': [{ token: 'sk-\u{1F511}' }, 'SecretValueInvalid'],
  'a lone surrogate': [{ token: 'sk-\uD800' }, 'SecretValueInvalid'],
  'a space at the end': [{ token: 'sk-1 ' }, 'SecretValueInvalid'],
  'a space at the begin': [{ token: ' sk-1' }, 'SecretValueInvalid'],
  'over 16 KiB': [{ token: 'a'.repeat(16_385) }, 'SecretValueTooLarge'],
  'over 64 KiB': [{ token: 'a'.repeat(65_537) }, 'SecretValueTooLarge'],
  'the word undefined': [{ token: 'undefined' }, 'SecretValueInvalid'],
  'the word null, with a line feed': [{ token: 'null\n' }, 'SecretValueInvalid'],
};

test.each(Object.entries(bad))('%s has a reason, and the message holds nothing of the value', (name, [secret, reason]) => {
  const key = name === 'a key that only the prototype has' ? 'toString' : 'token';
  const failure = caught(() => valueOf(secret, key, 'kv/mcp/github'));
  expect(failure.reason).toBe(reason);
  expect(failure.message).toContain('kv/mcp/github');
  expect(failure.message).not.toMatch(/sk-|aaa/u);
});

describe('a secret that is one text', () => {
  const found: Record<string, [string | Uint8Array, string | undefined, string]> = {
    'all of it': ['sk-1', undefined, 'sk-1'],
    'all of it, with a line feed': ['sk-1\n', undefined, 'sk-1'],
    'all of it, though it is JSON': ['{"token":"sk-1"}', undefined, '{"token":"sk-1"}'],
    'bytes that are text': [Buffer.from('xsk-1').subarray(1), undefined, 'sk-1'],
    'a key of bytes that are JSON': [Buffer.from('{"token":"sk-1"}'), 'token', 'sk-1'],
    'a key': ['{"token":"sk-1"}', 'token', 'sk-1'],
    'a nested key': ['{"github":{"token":{"value":"sk-1"}}}', 'github.token.value', 'sk-1'],
    'a key with a dot, before a nested one': ['{"a":{"b":"sk-2"},"a.b":"sk-1"}', 'a.b', 'sk-1'],
    'a key with a dot in a secret over 64 KiB': [JSON.stringify({ 'a.b': 'sk-1', more: 'x'.repeat(65_537) }), 'a.b', 'sk-1'],
  };
  test.each(Object.entries(found))('%s', (_name, [text, key, value]) => {
    expect(textValue(text, key, 'mcp/github').reveal()).toBe(value);
  });

  const missing: Record<string, [string | Uint8Array, string | undefined, string]> = {
    'bytes that are no text': [Buffer.from([0x73, 0x6b, 0x2d, 0xff]), undefined, 'SecretValueInvalid'],
    'bytes that are no text, with a key': [Buffer.from([0xff]), 'token', 'SecretValueInvalid'],
    'text beyond ASCII': [Buffer.from('sk-\u00e9'), undefined, 'SecretValueInvalid'],
    empty: ['', undefined, 'SecretValueEmpty'],
    'no bytes': [new Uint8Array(), undefined, 'SecretValueEmpty'],
    'the word undefined': ['undefined', undefined, 'SecretValueInvalid'],
    'the word null': ['null', undefined, 'SecretValueInvalid'],
    'a key of nothing': ['', 'token', 'KeyNotFound'],
    'a key of what is not JSON': ['sk-1', 'token', 'KeyNotFound'],
    'a key of JSON that is null': ['null', 'token', 'KeyNotFound'],
    'a key of a JSON list': ['["sk-1"]', '0', 'KeyNotFound'],
    'a key of a JSON string': ['"sk-1"', 'length', 'KeyNotFound'],
    'a key that is not there': ['{"other":"sk-1"}', 'token', 'KeyNotFound'],
    'a key that only the prototype has': ['{}', 'constructor', 'KeyNotFound'],
    'a path through the prototype': ['{"a":{}}', 'a.constructor.name', 'KeyNotFound'],
    'a path through a list': ['{"a":["sk-1"]}', 'a.0', 'KeyNotFound'],
    'a path through a string': ['{"a":"sk-1"}', 'a.length', 'KeyNotFound'],
    'a number': ['{"token":8}', 'token', 'SecretValueNotString'],
    null: ['{"token":null}', 'token', 'SecretValueNotString'],
    'an object': ['{"token":{"sk-1":1}}', 'token', 'SecretValueNotString'],
    'the word null under a key': ['{"token":"null"}', 'token', 'SecretValueInvalid'],
    'over 16 KiB': [`{"token":"${'a'.repeat(16_385)}"}`, 'token', 'SecretValueTooLarge'],
  };
  test.each(Object.entries(missing))('%s has a reason, and the message holds nothing of it', (_name, [text, key, reason]) => {
    const failure = caught(() => textValue(text, key, 'mcp/github'));
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('mcp/github');
    expect(failure.message).not.toMatch(/sk-|aaa/u);
  });
});

function caught(task: () => unknown): Failure {
  try {
    task();
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('no Failure');
}
