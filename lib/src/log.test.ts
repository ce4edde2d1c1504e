import { errorCode, jsonLog } from './log.ts';
import type { LogFields } from './log.ts';

test('a line carries the allowed fields and drops every other', () => {
  const lines: string[] = [];
  const log = jsonLog(
    (line) => lines.push(line),
    'info',
    () => new Date(0),
  );
  log('info', 'read', { credential: 'github', headers: { authorization: 'Bearer sk-1' } } as LogFields);
  log('debug', 'not written');
  expect(lines).toEqual(['{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"read","credential":"github"}\n']);
});

test('of a foreign error only the code or the class is told', () => {
  expect(errorCode(Object.assign(new Error('token sk-1 refused'), { code: 'ECONNRESET' }))).toBe('ECONNRESET');
  expect(errorCode(new TypeError('sk-1'))).toBe('TypeError');
  expect(errorCode('sk-1')).toBe('Unknown');
});
